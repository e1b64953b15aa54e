"""The application: `create_app` makes it, `lifespan` builds every long-lived object and takes them down again."""

import asyncio
import secrets
import sys
from collections.abc import AsyncIterator, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final, Protocol, TypedDict, TypeVar

from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware
from loguru import logger
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from app import __version__
from app.api import errors, health, page, router
from app.api.limits import BodyLimit
from app.api.openai.router import CLIENT_HEADERS
from app.core import data_folder
from app.core.errors import CannotStart
from app.core.process import allow_open_files, at_exit_signal
from app.core.settings import Settings
from app.db.migrations import migrate
from app.db.session import Database
from app.observability import logging, metrics
from app.observability.middleware import Observed
from app.observability.readiness import Readiness
from app.rag.embedders.minilm import MiniLM
from app.rag.embedders.provider import ProviderEmbedder
from app.rag.parser import ChildParser
from app.rag.retriever import Retriever
from app.rag.vectors import ChromaProcess
from app.services.accounts import Accounts
from app.services.blobs import Blobs
from app.services.chat import ChatService
from app.services.completions import Completions
from app.services.conversations import Conversations
from app.services.documents import Documents
from app.services.embeddings import TextEmbeddings
from app.services.generation import Tools
from app.services.grounding import Grounding
from app.services.housekeeping import Housekeeping
from app.services.indexing import Index
from app.services.ingestion import Ingestion
from app.services.jobs import Context, Jobs
from app.services.keys import Keys
from app.services.llm.configured import build_pool, pullers
from app.services.llm.embedders import build_embedder
from app.services.llm.local import NAME as LOCAL
from app.services.llm.local import load_at_start
from app.services.llm.pool import Pool
from app.services.llm.rerankers import build_reranker
from app.services.llm.store.folder import ModelFolder
from app.services.llm.store.offer import Offers
from app.services.llm.store.store import Store
from app.services.models import Models
from app.services.ports import Ports
from app.services.progress import FileProgress
from app.services.pulls import Pulls
from app.services.reconciliation import Reconciliation
from app.services.spending import Spending
from app.services.stored_completions import StoredCompletions
from app.services.streams.events import UserEvents
from app.services.streams.journal import Journal
from app.services.uploads import Limits
from app.services.usage import UsageFigures

DESCRIPTION: Final = (
    "A team's own ChatGPT over its own documents. Sign in at `POST /api/v1/auth/login`, upload at "
    "`POST /api/v1/files/upload`, ask at `POST /api/v1/chat/stream`. Every error has one shape: see ErrorBody."
)


class Closable(Protocol):
    async def aclose(self) -> None: ...


C = TypeVar("C", bound=Closable)
Either = MiniLM | ProviderEmbedder
ALLOWED_HEADERS: Final = (
    *("Authorization", "X-API-Key", "Content-Type", "Idempotency-Key", "Last-Event-ID", "X-Request-ID"),
)


class State(TypedDict):
    """What routes reach as `request.state`."""

    settings: Settings
    db: Database
    accounts: Accounts
    keys: Keys
    usage: UsageFigures
    conversations: Conversations
    chat: ChatService
    completions: Completions
    stored_completions: StoredCompletions
    embeddings: TextEmbeddings
    documents: Documents
    retriever: Retriever
    pulls: Pulls
    offers: Offers
    models: Models
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
    limits = settings.chat
    app.add_middleware(BodyLimit, max_message_chars=limits.max_message_chars, max_openai_mb=limits.max_openai_body_mb)
    if settings.server.allowed_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.server.allowed_origins,
            allow_methods=["GET", "POST", "PUT", "PATCH", "DELETE"],
            allow_headers=[*ALLOWED_HEADERS, *CLIENT_HEADERS],
            expose_headers=["X-Request-ID", "Retry-After"],
        )
    app.add_middleware(Observed, failure_body=errors.failure_body)
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
            models = ModelFolder(settings.model_files, folder)
            pool = kept(stack, build_pool(settings, models))
            vectors = kept(stack, ChromaProcess(settings.storage.vectors_dir, prefix=settings.storage.collection_name))
            minilm, embedder = embedders(stack, settings, pool)
            index = Index(embedder, embedder, vectors, patience_s=settings.documents.embedding_wait_s)
            retriever = Retriever(db, embedder=embedder, vectors=vectors, reranker=build_reranker(settings.llm, pool))
            grounding = Grounding(db, pool, retriever, record=Spending(db), query_rewrite=settings.chat.query_rewrite)
            events, blobs, replica = UserEvents(), Blobs(folder / "files"), data_folder.replica_name(folder)
            jobs = Jobs(jobs_url(settings), db=db, replica=replica, alone=db.is_sqlite)
            documents = await start_documents(stack, settings, (db, blobs, jobs), index, FileProgress(events))
            keys = kept(stack, Keys(db))
            await ensure_admin(accounts := Accounts(db, keys, settings.auth, data_dir=folder), settings)
            tools, limit = Tools(db=db, pool=pool, grounding=grounding), settings.chat.max_message_chars
            chat = kept(stack, ChatService(tools, log, events, replica=replica, max_message_chars=limit))
            await chat.recover()
            completions = kept(stack, Completions(db, pool, grounding, record=Spending(db)))
            stack.enter_context(at_exit_signal(chat.interrupt, completions.interrupt, events.close))
            kept(stack, Housekeeping(db))
            store = kept(stack, Store(models, settings.model_files))
            offers = Offers(store, needed=lambda: not pool.default.capabilities.generates)
            beside(stack, metrics.sample_loop_lag(), index.warm_up(db), offers.announce())
            beside(stack, load_at_start(pool.get(LOCAL), settings.local))
            logger.info("llama-service {} is ready; models: {}", __version__, ", ".join(pool.names))
            yield State(
                settings=settings,
                db=db,
                accounts=accounts,
                keys=keys,
                usage=UsageFigures(db),
                conversations=Conversations(db, files=documents, runs=chat, events=events),
                chat=chat,
                completions=completions,
                stored_completions=StoredCompletions(db, pool, chat),
                embeddings=TextEmbeddings(pool, minilm, record=Spending(db)),
                documents=documents,
                retriever=retriever,
                pulls=kept(stack, Pulls(store, events, others=pullers(pool))),
                offers=offers,
                models=Models(pool),
                events=events,
                readiness=Readiness(Ports(db, vectors, log, jobs, blobs, index, pool).checks()),
            )


def kept(stack: AsyncExitStack, thing: C) -> C:
    """Have it taken down at the end."""
    stack.push_async_callback(thing.aclose)
    return thing


def embedders(stack: AsyncExitStack, settings: Settings, pool: Pool) -> tuple[MiniLM | None, Either | None]:
    """The built-in one, if it is installed, and the one that embeds documents: as set, else the built-in one."""
    minilm = kept(stack, MiniLM()) if MiniLM.available() else None
    chosen = build_embedder(settings.llm, pool)
    return minilm, kept(stack, chosen) if chosen else minilm


def beside(stack: AsyncExitStack, *work: Coroutine[None, None, None]) -> None:
    """Have it done beside the requests, and ended at the end."""
    for each in work:
        stack.callback(asyncio.create_task(each).cancel)


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
