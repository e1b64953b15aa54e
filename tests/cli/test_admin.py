"""Administrators made by hand, before the first start and beside a running service."""

import os
import re
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.cli.program import ROOT, environment, run, run_python
from tests.conftest import Serve

SCRIPT = ROOT / "scripts" / "create_admin.py"


def sign_in(url: str, username: str, password: str) -> httpx.Response:
    return httpx.post(f"{url}/api/v1/auth/login", json={"username": username, "password": password}, timeout=30)


def me(url: str, token: str) -> httpx.Response:
    return httpx.get(f"{url}/api/v1/auth/me", headers={"Authorization": f"Bearer {token}"}, timeout=30)


def test_administrator_is_made_before_the_first_start_and_the_start_makes_no_other(
    tmp_path: Path, serve: Serve
) -> None:
    data = tmp_path / "not there yet" / "data"
    made = run_python(SCRIPT, "--username", "Ann", DATA_DIR=str(data))
    assert made.returncode == 0, made.stderr
    assert "'Ann' was made" in made.stdout
    password = re.findall(r"Password: (\S{12,}) \(shown only now\)", made.stdout)[0]
    assert data.stat().st_mode & 0o077 == 0

    again = run_python(SCRIPT, "--username", "ann", "--password", "another password", DATA_DIR=str(data))
    assert again.returncode == 0
    assert "already there and was left alone" in again.stdout
    assert "assword:" not in again.stdout

    service = serve(DATA_DIR=str(data))
    assert "Administrator" not in service.log()
    assert sign_in(service.url, "ann", "another password").status_code == 401
    signed_in = sign_in(service.url, "ann", password)
    assert me(service.url, signed_in.json()["access_token"]).json()["role"] == "admin"


def test_user_is_promoted_and_a_password_reset_beside_a_running_service(serve: Serve) -> None:
    service = serve()
    data = str(service.data_dir)
    registration = {"username": "bob", "password": "the first password"}
    assert httpx.post(f"{service.url}/api/v1/auth/register", json=registration, timeout=30).status_code == 201
    first = sign_in(service.url, **registration).json()

    promoted = run("admin", "create", "--username", "bob", "--password", "the second password", DATA_DIR=data)
    assert promoted.returncode == 0, promoted.stderr
    assert "User 'bob' was made an administrator" in promoted.stdout
    assert "the second password" not in promoted.stdout
    assert sign_in(service.url, **registration).status_code == 401
    refreshed = httpx.post(
        f"{service.url}/api/v1/auth/refresh", json={"refresh_token": first["refresh_token"]}, timeout=30
    )
    assert refreshed.status_code == 401
    second = sign_in(service.url, "bob", "the second password").json()
    assert me(service.url, second["access_token"]).json()["role"] == "admin"

    reset = run("admin", "create", "--username", "bob", "--reset-password", DATA_DIR=data, ADMIN_USERNAME="bob")
    assert reset.returncode == 0, reset.stderr
    password = re.findall(r"Password: (\S+)", reset.stdout)[0]
    assert sign_in(service.url, "bob", "the second password").status_code == 401
    assert sign_in(service.url, "bob", password).status_code == 200


def test_password_is_asked_for_on_a_terminal(tmp_path: Path) -> None:
    keyboard, terminal = os.openpty()
    asking = subprocess.Popen(
        [sys.executable, "-m", "app.cli", "admin", "create"],
        cwd=ROOT,
        env=environment(DATA_DIR=str(tmp_path / "data")),
        stdin=terminal,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    os.close(terminal)
    with asking, os.fdopen(keyboard, "wb", buffering=0) as keys:
        assert asking.stdout is not None
        said = b""
        for typed in (b"short\n", b"a long password\n", b"a long password\n"):
            question = b""
            while not question.endswith(b": "):  # what is typed before it is thrown away
                question += (part := asking.stdout.read1(1000))
                assert part, question.decode()
            said += question
            keys.write(typed)
        said += asking.stdout.read()
    assert asking.returncode == 0, said.decode()
    assert b"Password for 'admin'" in said
    assert b"you entered was invalid" in said
    assert b"Administrator 'admin' was made." in said
    assert b"shown only now" not in said


def test_key_is_made_beside_a_running_service_and_printed_alone(serve: Serve) -> None:
    service = serve()
    data = str(service.data_dir)
    key = ("admin", "key", "--user", "admin", "--name")
    made = run(*key, "nightly", "--scope", "chat", "--scope", "files", "--expires-in-days", "7", DATA_DIR=data)
    assert made.returncode == 0, made.stderr
    assert re.fullmatch(r"sk_[0-9a-f]{32}_[\w-]{43}\n", made.stdout)
    headers = {"Authorization": f"Bearer {made.stdout.strip()}"}
    assert httpx.get(f"{service.url}/api/v1/files", headers=headers, timeout=30).status_code == 200
    listed = me(service.url, made.stdout.strip())
    assert (listed.status_code, "sign in with a password" in listed.text) == (403, True)

    again = run(*key, "nightly", DATA_DIR=data)
    assert (again.returncode, again.stdout) == (1, "")
    assert "named 'nightly'" in again.stderr
    nobody = run("admin", "key", "--user", "nobody", "--name", "x", DATA_DIR=data)
    assert (nobody.returncode, nobody.stderr) == (1, "there is no user 'nobody'\n")
    for wrong in ([""], ["x", "--expires-in-days", "366"], ["x", "--scope", "all"]):
        assert run(*key, *wrong, DATA_DIR=data).returncode == 2

    reset = run("admin", "create", "--reset-password", "--password", "another password", DATA_DIR=data)
    assert "API keys are revoked" in reset.stdout
    service.stop()
    service.start()
    revoked = httpx.get(f"{service.url}/api/v1/files", headers=headers, timeout=30)
    assert (revoked.status_code, "was revoked" in revoked.text) == (401, True)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--username", "not a name"], "username 'not a name'"),
        (["--password", "short"], "8 to 256 characters"),
        (["--nobody"], "No such option"),
    ],
)
def test_bad_usage_is_refused_before_anything_is_made(tmp_path: Path, arguments: list[str], complaint: str) -> None:
    done = run("admin", "create", *arguments, DATA_DIR=str(tmp_path / "data"))
    assert done.returncode == 2
    assert complaint in done.stderr
    assert not (tmp_path / "data").exists()
