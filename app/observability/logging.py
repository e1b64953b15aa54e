"""One log for everything: loguru and the standard library's loggers, to stderr, one JSON object or one line each.

Every line has the request's id. Values of local variables are never shown, and what looks like a secret is hidden.
"""

import logging
import re
import sys
import traceback
from typing import TYPE_CHECKING, Literal

import msgspec
from loguru import logger

from app.observability.context import request_id

if TYPE_CHECKING:
    from loguru import Message, Record

SECRETS = (
    (re.compile(r"(?i)(\bbearer\s+)[\w.~+/=-]{8,}"), r"\1(hidden)"),
    (re.compile(r"(://[^/\s:@]*:)[^/\s@]+@"), r"\1(hidden)@"),
    (re.compile(r"(?i)((?:password|secret|api_?key)['\"]?\s*[=:]\s*)(?:'[^']*'|\"[^\"]*\"|[^\s&,;]+)"), r"\1(hidden)"),
    (re.compile(r"\bey[\w-]{8,}\.[\w-]+\.[\w-]+|\bsk[-_][\w-]{8,}"), "(hidden)"),
)
LEVELS = {10: "DEBUG", 20: "INFO", 30: "WARNING", 40: "ERROR", 50: "CRITICAL"}
# At DEBUG or INFO these repeat requests, prompts or parameters of statements.
TALKATIVE = (
    "aiosqlite",
    "alembic.runtime.plugins",
    "asyncpg",
    "chromadb",
    "dbos",
    "httpcore",
    "httpx",
    "openai",
    "pypdf",
    "sqlalchemy",
)


def configure(level: str, style: Literal["json", "text"]) -> None:
    """Send all logs of this process to stderr, from `level` up. May be called again."""
    logger.remove()
    sink = _write_json if style == "json" else _write_text
    logger.add(sink, level=level, format="{message}", backtrace=False, diagnose=False)
    logging.basicConfig(handlers=[_ToLoguru()], level=level, force=True)
    for name in list(logging.root.manager.loggerDict):
        taken = logging.getLogger(name)
        taken.handlers.clear()
        taken.propagate = True
    for name in TALKATIVE:
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.getLogger("uvicorn.access").propagate = False  # the middleware writes that line, with more in it
    logging.captureWarnings(True)


class _ToLoguru(logging.Handler):
    """Hands records of the standard library on, with the name of the logger they came by."""

    def emit(self, record: logging.LogRecord) -> None:
        named = logger.opt(exception=record.exc_info).patch(_Named(record.name))
        named.log(LEVELS.get(record.levelno, record.levelno), "{}", record.getMessage())


class _Named:
    """Sets the name on a loguru record."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __call__(self, record: "Record") -> None:
        record["name"] = self.name


def hide_secrets(text: str) -> str:
    for pattern, shown in SECRETS:
        text = pattern.sub(shown, text)
    return text


def _trace(record: "Record") -> str:
    caught = record["exception"]
    if caught is None or caught.type is None:
        return ""
    return hide_secrets("".join(traceback.format_exception(caught.type, caught.value, caught.traceback)))


def _write_json(message: "Message") -> None:
    record = message.record
    line: dict[str, object] = {
        "time": record["time"].isoformat(timespec="milliseconds"),
        "level": record["level"].name,
        "logger": record["name"],
        "message": hide_secrets(record["message"]),
        "request_id": request_id.get(),
        **{name: value if isinstance(value, int | float) else str(value) for name, value in record["extra"].items()},
    }
    if trace := _trace(record):
        line["exception"] = trace
    sys.stderr.write(msgspec.json.encode(line).decode() + "\n")


def _write_text(message: "Message") -> None:
    record = message.record
    extra = "".join(f" {name}={value}" for name, value in record["extra"].items())
    shown_id = f" [{request_id.get()}]" if request_id.get() else ""
    text = hide_secrets(record["message"])
    time = record["time"].strftime("%H:%M:%S")
    sys.stderr.write(f"{time} {record['level'].name:7} {record['name']}: {text}{extra}{shown_id}\n{_trace(record)}")
