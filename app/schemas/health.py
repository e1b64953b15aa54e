"""What the service says about itself."""

from typing import Literal

from app.schemas.base import Answer


class Health(Answer):
    status: Literal["healthy"] = "healthy"
    version: str
    uptime_s: float


class PortHealth(Answer):
    ok: bool
    needed: bool
    detail: str


class Ready(Answer):
    status: Literal["ready", "not_ready"]
    ports: dict[str, PortHealth]
