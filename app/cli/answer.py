"""Answers a question from the terminal with the service itself, in a data folder of its own and without HTTP."""

import asyncio
import hashlib
import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, ExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Final
from uuid import UUID

import msgspec
from pydantic import SecretStr, ValidationError

from app.api.state import State
from app.cli.ask import Question
from app.cli.screen import Bars, Screen
from app.core import data_folder
from app.core.enums import FileStatus, FinishReason
from app.core.errors import AppError, DataFolderInUse, Internal, ValidationFailed, by_code
from app.core.settings import Settings
from app.crud import files as file_rows
from app.crud import users
from app.db.models import File
from app.main import Lifespan
from app.observability import logging
from app.schemas.chat import ChatRequest, CitationChecked, RunDone, RunFailed, Source, SourcesFound, TextDelta
from app.services.documents import Documents
from app.services.llm.configured import build_pool
from app.services.streams.base import HEARTBEAT, StoredFrame, read_frames
from app.services.uploads import UploadFields

LOCAL_USER: Final = "local"
WAIT_FOR_FOLDER_S: Final = 10.0
POLL_S: Final = 0.1
STALLED_S: Final = 600.0
READ_BYTES: Final = 1 << 20


async def answer(question: Question, screen: Screen) -> None:
    """Index what is new, ask, print. Raises AppError when a file or the model failed, CannotStart."""
    settings = await asyncio.to_thread(Settings.load)
    logging.configure("DEBUG" if settings.server.log_level == "DEBUG" else "WARNING", "text")
    build_pool(settings).get(question.model_source)  # an unknown name is refused before any work
    async with AsyncExitStack() as stack:
        with screen.waiting("starting"):
            state = await _enter(stack, _own(settings))
            owner = await _local_user(state)
        file_ids = None
        if question.files:
            with screen.bars() as bars:
                file_ids = await _index(state, owner, question.files, bars)
        await _converse(state, owner, _request(question, file_ids), screen)


def _own(settings: Settings) -> Settings:
    """The same models and limits over rows, vectors and files of our own. Nobody signs in as the local user."""
    folder = settings.storage.data_dir
    data_folder.make(folder)
    here = {"data_dir": folder / "cli", "database_url": None, "alembic_database_url": None, "vectordb_path": None}
    models = settings.model_files.local_model_path or folder / "models"  # those of the service, and no offer of one
    local = {"admin_username": LOCAL_USER, "admin_password": SecretStr(secrets.token_urlsafe())}
    return replace(
        settings,
        storage=settings.storage.model_copy(update=here),
        auth=settings.auth.model_copy(update=local),
        model_files=settings.model_files.model_copy(update={"local_model_path": models, "hf_hub_offline": True}),
    )


async def _enter(stack: AsyncExitStack, settings: Settings) -> State:
    """The running service. Another `ask` may be at work: wait a little for it."""
    deadline = asyncio.get_running_loop().time() + WAIT_FOR_FOLDER_S
    while True:
        try:
            return await stack.enter_async_context(Lifespan(settings)())
        except DataFolderInUse:
            if asyncio.get_running_loop().time() > deadline:
                folder = str(settings.storage.data_dir)
                raise DataFolderInUse(
                    f"Another `llama-service ask` is at work in {folder!r}: try again when it has finished."
                ) from None
            await asyncio.sleep(POLL_S)


async def _local_user(state: State) -> UUID:
    user = await state["db"].query(partial(users.by_username, username=LOCAL_USER))
    if user is None:
        raise Internal(f"the user {LOCAL_USER!r} is missing in {str(state['settings'].storage.data_dir)!r}; remove it")
    return user.id


async def _index(state: State, owner: UUID, paths: Sequence[Path], bars: Bars) -> list[UUID]:
    """The files' ids, all ready. Raises AppError that names each file which is not, and why."""
    found: dict[UUID, Path] = {}
    failures: list[str] = []
    for path in paths:
        try:
            found[(await _take(state, owner, path)).id] = path
        except AppError as error:
            failures.append(f"{path}: {error.message}")
    files = await _settled(state["documents"], owner, list(found), bars)
    failures += [f"{found[file.id]}: {_reason(file)}" for file in files if file.status != FileStatus.READY]
    if failures:
        raise ValidationFailed("; ".join(failures))
    return list(found)


async def _take(state: State, owner: UUID, path: Path) -> File:
    """The file as it is known by its content, or a new one whose ingestion has begun."""
    documents = state["documents"]
    async with state["db"].read() as session:
        known = await file_rows.by_content(session, owner, await asyncio.to_thread(_sha256, path))
    if known is None:
        return (await documents.upload(owner, path.name, _read(path), fields=_no_fields)).file
    if known.status in {FileStatus.FAILED, FileStatus.CANCELLED} or documents.needs_reindex(known):
        return await documents.retry(owner, known.id)
    return known


async def _settled(documents: Documents, owner: UUID, file_ids: Sequence[UUID], bars: Bars) -> list[File]:
    """Wait until every file has ended, well or not. Raises Internal when nothing moves for ten minutes."""
    clock = asyncio.get_running_loop().time
    before: list[object] = []
    moved_at = clock()
    while True:
        files = [await documents.get(owner, file_id) for file_id in file_ids]
        for file in files:
            bars.show(file)
        if all(FileStatus(file.status).is_final for file in files):
            return files
        state: list[object] = [(file.status, file.pages_done, file.chunks_done) for file in files]
        if state != before:
            before, moved_at = state, clock()
        elif clock() - moved_at > STALLED_S:
            raise Internal("the files are not getting read; run it again with LOG_LEVEL=DEBUG to see why")
        await asyncio.sleep(POLL_S)


async def _converse(state: State, owner: UUID, request: ChatRequest, screen: Screen) -> None:
    """Print the answer as it comes, then its passages. Raises the error that ended it."""
    chat = state["chat"]
    started = await chat.start(owner, request, key=None)
    with ExitStack() as spinner:
        spinner.enter_context(screen.waiting("answering"))
        told = _Told(screen, spinner)
        async for blob in await chat.follow(owner, started):
            for frame in read_frames(blob) if blob != HEARTBEAT else ():
                told.take(frame)
    screen.end_line()
    if isinstance(told.end, RunFailed):
        raise by_code(told.end.code)(told.end.message)
    if told.sources:
        screen.sources(told.sources)
    if told.doubts:
        screen.doubts(told.doubts)
    if told.end is not None and told.end.finish_reason == FinishReason.LENGTH:
        screen.note("The answer ends here because the model's limit was reached.")


@dataclass(slots=True)
class _Told:
    """What an answer's events have said so far. Its text is on the screen already."""

    screen: Screen
    spinner: ExitStack
    sources: list[Source] = field(default_factory=list)
    doubts: list[CitationChecked] = field(default_factory=list)
    end: RunDone | RunFailed | None = None

    def take(self, frame: StoredFrame) -> None:
        match frame.kind:
            case TextDelta.kind:
                self.spinner.close()
                self.screen.write(msgspec.json.decode(frame.data, type=TextDelta).text)
            case SourcesFound.kind:
                self.sources = msgspec.json.decode(frame.data, type=list[Source])
            case CitationChecked.kind:
                checked = msgspec.json.decode(frame.data, type=CitationChecked)
                self.doubts += [] if checked.supported else [checked]
            case RunDone.kind:
                self.end = msgspec.json.decode(frame.data, type=RunDone)
            case RunFailed.kind:
                self.end = msgspec.json.decode(frame.data, type=RunFailed)


def _request(question: Question, file_ids: list[UUID] | None) -> ChatRequest:
    try:
        return ChatRequest(
            message=question.text,
            file_ids=file_ids,
            model_source=question.model_source,
            model=question.model,
            use_rag=question.use_rag,
        )
    except ValidationError as error:
        first = error.errors()[0]
        raise ValidationFailed(f"{first['loc'][0]}: {first['msg']}") from None


def _reason(file: File) -> str:
    return str(file.error["message"]) if file.error else f"it was {file.status}"


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


async def _read(path: Path) -> AsyncIterator[bytes]:
    with path.open("rb") as file:
        while data := await asyncio.to_thread(file.read, READ_BYTES):
            yield data


async def _no_fields() -> UploadFields:
    return UploadFields()
