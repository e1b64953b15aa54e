"""Options that several commands have."""

from pathlib import Path
from typing import Annotated

import typer

ServerOption = Annotated[
    str | None,
    typer.Option(help="The address of a running service, such as http://127.0.0.1:8000. [default: DATA_DIR]"),
]
KeyOption = Annotated[
    str | None,
    typer.Option(envvar="LLAMA_SERVICE_KEY", help="An API key of that service with the scope files."),
]
UserOption = Annotated[str | None, typer.Option(help="On whose behalf, without --server; ADMIN_USERNAME by default.")]
JsonOption = Annotated[Path | None, typer.Option("--json", help="Write what was found to this file, too.")]


def check_key(server: str | None, key: str | None) -> None:
    """Raises BadParameter when a server is named without a key."""
    if server is not None and not key:
        raise typer.BadParameter("--server needs --key: make one with `llama-service admin key --scope files ...`")
