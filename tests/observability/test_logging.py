"""Logs: one line each, with the request's id, without secrets or the values of variables."""

import json
import subprocess
import sys

import pytest

from app.observability.logging import hide_secrets

SCRIPT = """
import logging, sys, warnings
from loguru import logger
from app.observability.context import request_id
from app.observability.logging import configure
logging.getLogger("uvicorn.error").addHandler(logging.StreamHandler(sys.stderr))
logging.getLogger("uvicorn.error").propagate = False
configure("INFO", sys.argv[1])
request_id.set("r1")
logger.bind(ms=1.5).info("hello {}", "there")
logger.debug("not shown")
logging.getLogger("uvicorn.error").info("from the server")
logging.getLogger("aiosqlite").info("parameters of a statement")
logging.getLogger("odd").log(25, "between %s", "levels")
warnings.warn("careful")
def check(password):
    raise ValueError("no such user")
try:
    check("hunter2")
except ValueError:
    logger.exception("sign-in failed")
logging.getLogger("x").error("Authorization: Bearer abcdefgh12345678")
"""


def lines(style: str) -> list[str]:
    done = subprocess.run([sys.executable, "-c", SCRIPT, style], capture_output=True, text=True, check=True)
    assert done.stdout == ""
    return done.stderr.splitlines()


def test_json_lines() -> None:
    written = [json.loads(line) for line in lines("json")]
    assert [(line["level"], line["logger"]) for line in written] == [
        ("INFO", "__main__"),
        ("INFO", "uvicorn.error"),
        ("Level 25", "odd"),
        ("WARNING", "py.warnings"),
        ("ERROR", "__main__"),
        ("ERROR", "x"),
    ]
    assert {line["request_id"] for line in written} == {"r1"}
    assert (written[0]["message"], written[0]["ms"]) == ("hello there", 1.5)
    assert written[4]["exception"].endswith("ValueError: no such user\n")
    assert "hunter2" not in json.dumps(written[4]).replace('check(\\"hunter2\\")', "")
    assert written[5]["message"] == "Authorization: Bearer (hidden)"


def test_text_lines() -> None:
    written = lines("text")
    assert written[0].endswith("INFO    __main__: hello there ms=1.5 [r1]")
    assert written[-1].endswith("ERROR   x: Authorization: Bearer (hidden) [r1]")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Authorization: Bearer abc.def-123", "Authorization: Bearer (hidden)"),
        ("postgresql://ann:s3cr3t!@db:5432/rows", "postgresql://ann:(hidden)@db:5432/rows"),
        ("{'password': 'correct horse'}", "{'password': (hidden)}"),
        ("OPENAI_API_KEY=sk-abcdefgh12345", "OPENAI_API_KEY=(hidden)"),
        ("key sk_1234567890 used", "key (hidden) used"),
        ("token eyJhbGciOi.eyJzdWIi.c2ln here", "token (hidden) here"),
        ("GET http://127.0.0.1:8000/v1 took 3 tokens: 12", "GET http://127.0.0.1:8000/v1 took 3 tokens: 12"),
    ],
)
def test_secrets_are_hidden(text: str, shown: str) -> None:
    assert hide_secrets(text) == shown
