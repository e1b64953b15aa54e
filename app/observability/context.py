"""What every log line and error of one request shares."""

from contextvars import ContextVar

request_id: ContextVar[str] = ContextVar("request_id", default="")
