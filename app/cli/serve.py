"""`llama-service serve`."""

import gc
import math
import signal
from contextlib import suppress
from types import FrameType
from typing import Annotated

import typer
import uvicorn

from app.core.settings import Settings

START_FAILED = 3  # uvicorn's own exit code for it


def serve(
    host: Annotated[str | None, typer.Option(help="The address to listen on; HOST by default.")] = None,
    port: Annotated[int | None, typer.Option(help="The port to listen on; PORT by default.", min=0, max=65535)] = None,
) -> None:
    """Serve the page and the API until SIGTERM or Ctrl+C."""
    settings = Settings.load().server
    config = uvicorn.Config(
        "app.main:app",
        host=host or settings.host,
        port=settings.port if port is None else port,
        http="httptools",
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=math.ceil(settings.shutdown_timeout_s),
    )
    load(config)
    server = uvicorn.Server(config)
    signal.signal(signal.SIGTERM, _ended)
    with suppress(KeyboardInterrupt):
        server.run()
    if not server.started:
        raise SystemExit(START_FAILED)


def _ended(number: int, frame: FrameType | None) -> None:
    """uvicorn raises the signal that ended it again, when all is shut down."""
    raise SystemExit(0)


def load(config: uvicorn.Config) -> None:
    """Import the application. What it makes stays: walking it again and again would stall the event loop."""
    gc.disable()
    config.load()
    gc.freeze()
    gc.enable()
