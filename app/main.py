"""The application: `create_app` makes it, `lifespan` builds every long-lived object and takes them down again."""

import asyncio
import resource
import secrets
import signal
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from types import FrameType
from typing import Any, Final, Protocol, TypedDict, TypeVar
from uuid import UUID

from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware
from loguru import logger
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from app import __version__
from app.api import errors, health, page, router
from app.api.limits import BodyLimit
from app.core import data_folder
from app.core.errors import AppError, CannotStart
from app.core.settings import Settings
from app.crud import probes
from app.db.migrations import migrate
from app.db.session import Database
from app.observability import logging, metrics
from app.observability.middleware import Observed
from app.observability.readiness import Readiness
from app.rag.embedders.minilm import MiniLM
from app.rag.parser import ChildParser
from app.rag.retriever import Retriever
from app.rag.vectors import ChromaProcess
from app.services.accounts import Accounts
from app.services.blobs import Blobs
from app.services.chat import ChatService
from app.services.conversations import Conversations
from app.services.documents import Documents
from app.services.generation import Tools
from app.services.housekeeping import Housekeeping
from app.services.ingestion import Index, Ingestion
from app.services.jobs import Context, Jobs
from app.services.llm.configured import build_pool
from app.services.ports import Ports
from app.services.progress import FileProgress
from app.services.reconciliation import Reconciliation
from app.services.streams.events import UserEvents
from app.services.streams.journal import Journal
from app.services.uploads import Limits

DESCRIPTION: Final = (
    "A team's own ChatGPT over its own documents. Sign in at `POST /api/v1/auth/login`, upload at "
    "`POST /api/v1/files/upload`, ask at `POST /api/v1/chat/stream`. Every error has one shape: see ErrorBody."
)


class Closable(Protocol):
    async def aclose(self) -> None: ...


C = TypeVar("C", bound=Closable)
NOBODY: Final = UUID(int=0)
MAX_OPEN_FILES: Final = 65536


class State(TypedDict):
    """What routes reach as `request.state`."""

    settings: Settings
    db: Database
    accounts: Accounts
    conversations: Conversations
    chat: ChatService
    documents: Documents
    retriever: Retriever
    events: UserEvents
    readiness: Readiness


def create_app(settings: Settings) -> FastAPI:
    logging.configure(settings.server.log_level, settings.server.log_format)
    app = FastAPI(
        title="llama-service",
        version=__version__,
        description=DESCRIPTION,
        lifespan=Lifespan(settings),
        docs_url=None,
        redoc_url=None,
    )
    errors.install(app)
    router.include(app)
    app.include_router(health.router)
    app.include_router(page.router)
    app.add_middleware(BodyLimit, max_message_chars=settings.chat.max_message_chars)
    if settings.server.allowed_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.server.allowed_origins,
            allow_methods=["GET", "POST", "PUT", "PATCH", "DELETE"],
            allow_headers=["Authorization", "Content-Type", "Idempotency-Key", "Last-Event-ID", "X-Request-ID"],
            expose_headers=["X-Request-ID", "Retry-After"],
        )
    app.add_middleware(Observed)
    if settings.server.trusted_proxies:
        app.add_middleware(ProxyHeadersMiddleware, trusted_hosts=settings.server.trusted_proxies)
    app.add_middleware(OneSentence)
    return app


class Lifespan:
    """Starts and ends everything, in order. Every object is taken down in the reverse order."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    @asynccontextmanager
    async def __call__(self, _: FastAPI | None = None) -> AsyncIterator[State]:
        settings = self._settings
        allow_open_files()
        async with AsyncExitStack() as stack:
            folder = stack.enter_context(data_folder.owned(settings.storage.data_dir))
            await migrate(settings.storage.migration_url)
            db = kept(stack, Database(settings.storage.rows_url))
            log = kept(stack, Journal(folder / "journal.db"))
            pool = kept(stack, build_pool(settings.llm))
            vectors = kept(stack, ChromaProcess(settings.storage.vectors_dir, prefix=settings.storage.collection_name))
            embedder = kept(stack, MiniLM()) if MiniLM.available() else None
            index = Index(embedder, embedder, vectors if embedder else None)
            retriever = Retriever(db, embedder=embedder, vectors=index.vectors)
            events, blobs = UserEvents(), Blobs(folder / "files")
            replica = data_folder.replica_name(folder)
            jobs = Jobs(jobs_url(settings), db=db, replica=replica, alone=db.is_sqlite)
            documents = await start_documents(stack, settings, (db, blobs, jobs), index, FileProgress(events))
            accounts = Accounts(db, settings.auth, data_dir=folder)
            await ensure_admin(accounts, settings)
            tools = Tools(db=db, pool=pool, retriever=retriever)
            limit = settings.chat.max_message_chars
            chat = kept(stack, ChatService(tools, log, events, replica=replica, max_message_chars=limit))
            await chat.recover()
            stack.enter_context(at_exit_signal(chat.interrupt, events.close))
            kept(stack, Housekeeping(db))
            for work in (metrics.sample_loop_lag(), warm_up(db, index)):
                stack.callback(asyncio.create_task(work).cancel)
            logger.info("llama-service {} is ready; models: {}", __version__, ", ".join(pool.names))
            yield State(
                settings=settings,
                db=db,
                accounts=accounts,
                conversations=Conversations(db, files=documents, runs=chat, events=events),
                chat=chat,
                documents=documents,
                retriever=retriever,
                events=events,
                readiness=Readiness(Ports(db, vectors, log, jobs, blobs, embedder, pool).checks()),
            )


def allow_open_files() -> None:
    """A stream takes two sockets, and many systems allow 1,024 open files until a process asks for more."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MAX_OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, MAX_OPEN_FILES)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def kept(stack: AsyncExitStack, thing: C) -> C:
    """Have it taken down at the end."""
    stack.push_async_callback(thing.aclose)
    return thing


async def warm_up(db: Database, index: Index) -> None:
    """The first question after a start should not wait for the embedder and the vectors' process."""
    if index.embedder is None or index.vectors is None or not await db.query(probes.has_chunks):
        return
    try:
        await index.embedder.embed(["ready"], urgency="query")
        await index.vectors.count(NOBODY, NOBODY)
    except AppError as error:  # told again by whatever needs them, and by /ready
        logger.warning("search is not ready: {}", error)


def jobs_url(settings: Settings) -> str:
    """Where the jobs' own tables are: a file of their own beside SQLite rows, else the rows' PostgreSQL."""
    url = settings.storage.rows_url
    return f"sqlite:///{settings.storage.data_dir / 'jobs.db'}" if url.startswith("sqlite") else url


async def start_documents(
    stack: AsyncExitStack,
    settings: Settings,
    stores: tuple[Database, Blobs, Jobs],
    index: Index,
    progress: FileProgress,
) -> Documents:
    """Files, their ingestion and its jobs. The jobs' runtime is imported and launched behind the first answers."""
    db, blobs, jobs = stores
    limits = settings.documents
    parser = ChildParser(cpu_s=limits.parse_cpu_s, memory_mb=limits.parse_memory_mb, wall_s=limits.parse_wall_s)
    ingestion = Ingestion(db=db, blobs=blobs, parser=parser, index=index, progress=progress, settings=limits)
    quota_mb = settings.storage.storage_quota_mb
    documents = Documents(
        db=db,
        blobs=blobs,
        jobs=jobs,
        ingestion=ingestion,
        progress=progress,
        limits=Limits(max_bytes=limits.max_filesize_mb << 20, quota_bytes=quota_mb and quota_mb << 20),
    )
    reconciliation = Reconciliation(db=db, blobs=blobs, jobs=jobs, documents=documents, ingestion=ingestion)
    await jobs.start(Context(ingestion))
    kept(stack, jobs)
    kept(stack, documents)
    reconciliation.start()
    kept(stack, reconciliation)
    return documents


async def ensure_admin(accounts: Accounts, settings: Settings) -> None:
    """The first start makes an administrator. A generated password is shown once, on the terminal, never in the log."""
    if await accounts.has_admin():
        return
    given = settings.auth.admin_password
    password = given.get_secret_value() if given else secrets.token_urlsafe(12)
    made = await accounts.ensure_admin(username=settings.auth.admin_username, password=password)
    if made and given is None:
        line = f"Administrator {settings.auth.admin_username!r} was made, password: {password} (shown only now)"
        sys.stderr.write(f"\n{line}\n\n")
        sys.stderr.flush()


@contextmanager
def at_exit_signal(*callbacks: Callable[[], None]) -> Iterator[None]:
    """Call back when the server is told to end, before it waits for its connections: streams must end first."""
    loop = asyncio.get_running_loop()
    before: dict[int, Any] = {}

    def on_signal(number: int, frame: FrameType | None) -> None:
        for callback in callbacks:
            loop.call_soon_threadsafe(callback)
        before[number](number, frame)

    if threading.current_thread() is threading.main_thread():
        before = {
            n: signal.signal(n, on_signal) for n in (signal.SIGTERM, signal.SIGINT) if callable(signal.getsignal(n))
        }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class OneSentence:
    """Says why the service cannot start in one sentence instead of a traceback."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            return await self.app(scope, receive, send)

        async def say(message: Message) -> None:
            if message["type"] == "lifespan.startup.failed" and isinstance(error := sys.exc_info()[1], CannotStart):
                message["message"] = str(error)
            await send(message)

        return await self.app(scope, receive, say)


def from_environment() -> FastAPI:
    try:
        return create_app(Settings.load())
    except CannotStart as error:
        sys.exit(str(error))


app = from_environment()
