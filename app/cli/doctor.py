"""`llama-service doctor`: whether rows, text index, vectors and files say the same, and mends what does not."""

import asyncio
from collections import Counter
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Annotated, Final

import httpx
import typer
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from app.core import data_folder
from app.core.errors import AppError, DataFolderInUse, NotFound
from app.core.settings import Settings
from app.crud import users
from app.db.migrations import migrate
from app.db.session import Database
from app.observability import logging
from app.schemas.inspection import InspectionOut
from app.services.accounts import Accounts
from app.services.keys import Keys

CLEAN, FINDINGS, CANNOT = 0, 1, 2
TIMEOUT_S: Final = 3600
SHOWN: Final = 50


class Unreachable(Exception):
    """The running service could not be asked."""


def doctor(
    *,
    fix: Annotated[bool, typer.Option("--fix", help="Mend what is found.")] = False,
    json_path: Annotated[Path | None, typer.Option("--json", help="Write it all to this file.", dir_okay=False)] = None,
    server: Annotated[
        str | None, typer.Option(help="The running service's address; http://HOST:PORT by default.")
    ] = None,
) -> None:
    """Compare rows, text index, vectors and uploaded files, of all users.

    Beside a running service it asks that one, since only it may open the vectors; else it looks by itself.

    Ends with 0 when all is as it should be or was mended, 1 with findings, 2 when it could not look.
    """
    settings = Settings.load()
    logging.configure("WARNING", "text")
    try:
        found = asyncio.run(_examine(settings, server, fix=fix))
    except (AppError, Unreachable) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(CANNOT) from None
    _show(found)
    if json_path is not None:
        json_path.write_text(found.model_dump_json(indent=1) + "\n")
    raise typer.Exit(CLEAN if all(finding.mended for finding in found.findings) else FINDINGS)


async def _examine(settings: Settings, server: str | None, *, fix: bool) -> InspectionOut:
    try:
        async with AsyncExitStack() as stack:
            if server is None:
                folder = stack.enter_context(data_folder.owned(settings.storage.data_dir))
                return await _alone(stack, settings, folder, fix=fix)
    except DataFolderInUse:
        pass
    return await _beside(settings, server or f"http://{settings.server.host}:{settings.server.port}", fix=fix)


async def _alone(stack: AsyncExitStack, settings: Settings, folder: Path, *, fix: bool) -> InspectionOut:
    from app.cli.doctor_alone import examiner  # noqa: PLC0415 - the whole service comes with it

    await migrate(settings.storage.migration_url)
    return await (await examiner(stack, settings, folder)).examine(fix=fix)


async def _beside(settings: Settings, server: str, *, fix: bool) -> InspectionOut:
    """As an administrator, by a sign-in that is made for this and ended: who reads the rows may do that anyway."""
    db = Database(settings.storage.rows_url)
    try:
        accounts = Accounts(db, Keys(db), settings.auth, data_dir=settings.storage.data_dir)
        found = await db.query(users.admins)
        if not found:
            raise NotFound("there is no administrator: make one with `llama-service admin create`")
        tokens = await accounts.sign_in_as(found[0])
        try:
            return await _ask(server, tokens.access, fix=fix)
        finally:
            await accounts.logout(tokens.refresh)
    finally:
        await db.aclose()


async def _ask(server: str, token: str, *, fix: bool) -> InspectionOut:
    headers = {"Authorization": f"Bearer {token}"}
    try:
        async with httpx.AsyncClient(base_url=server, headers=headers, timeout=TIMEOUT_S) as client:
            answer = await client.post("/api/v1/index/check", params={"fix": fix})
    except (httpx.TransportError, httpx.InvalidURL) as error:
        raise Unreachable(
            f"A service uses the data folder and does not answer at {server!r} ({error!r}): name its address with "
            "--server, or stop it and try again."
        ) from None
    if answer.status_code != httpx.codes.OK:
        raise Unreachable(f"The service at {server!r} answered {answer.status_code}: {answer.text[:500]}")
    return InspectionOut.model_validate_json(answer.content)


def _show(found: InspectionOut) -> None:
    console = Console(highlight=False)
    if found.findings:
        table = Table(box=SIMPLE)
        for column in ("what", "how many", "where", "mended"):
            table.add_column(column, overflow="fold")
        for finding in found.findings[:SHOWN]:
            mended = {None: "", True: "yes", False: "no"}[finding.mended]
            table.add_row(finding.kind, str(finding.count), finding.detail, mended)
        console.print(table)
        if len(found.findings) > SHOWN:
            kinds = Counter(finding.kind for finding in found.findings)
            console.print("in all: " + ", ".join(f"{kind} {count}" for kind, count in kinds.items()), markup=False)
    for note in found.notes:
        console.print(f"Note: {note}", markup=False)
    said = f"{len(found.findings)} findings" if found.findings else "nothing to mend"
    console.print(f"{found.files} files, {found.chunks} passages, {found.vectors} vectors: {said}", markup=False)
