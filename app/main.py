"""The application: `create_app` makes it, `lifespan` builds every long-lived object and takes them down again."""

import asyncio
import sys
from collections.abc import AsyncIterator, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol, TypeVar

from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware
from loguru import logger
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from app import __version__
from app.api import errors, health, page, router
from app.api.limits import BodyLimit
from app.api.openai.router import CLIENT_HEADERS
from app.api.startup import OneSentence
from app.api.state import State
from app.core import data_folder
from app.core.errors import CannotStart
from app.core.process import allow_open_files, at_exit_signal
from app.core.settings import Settings
from app.db.migrations import migrate
from app.db.session import Database
from app.observability import logging, metrics
from app.observability.middleware import Observed
from app.observability.readiness import Readiness
from app.rag.parser import ChildParser, OcrLimits
from app.rag.retriever import Retriever
from app.rag.vectors import ChromaProcess
from app.services.accounts import Accounts
from app.services.blobs import Blobs
from app.services.chat import ChatService
from app.services.completions import Completions
from app.services.conversations import Conversations
from app.services.doctoring import Doctor
from app.services.documents import Documents
from app.services.embeddings import TextEmbeddings
from app.services.fetching import build_fetcher
from app.services.first_admin import ensure_first_admin
from app.services.generation import Tools
from app.services.golden import Golden
from app.services.housekeeping import Housekeeping
from app.services.index_status import IndexStatus
from app.services.indexing import Index
from app.services.ingestion import Ingestion
from app.services.jobs import Context, Jobs, jobs_url
from app.services.keys import Keys
from app.services.llm.configured import build_pool, pullers
from app.services.llm.embedders import Embedders
from app.services.llm.local import NAME as LOCAL
from app.services.llm.local import load_at_start
from app.services.llm.pool import Pool
from app.services.llm.store.folder import ModelFolder
from app.services.llm.store.offer import Offers
from app.services.llm.store.store import Store
from app.services.mending import Stores
from app.services.models import Models
from app.services.ports import Ports
from app.services.progress import FileProgress
from app.services.pulls import Pulls
from app.services.rebuilding import Rebuilding
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
ALLOWED_HEADERS: Final = (
    *("Authorization", "X-API-Key", "Content-Type", "Idempotency-Key", "Last-Event-ID", "X-Request-ID"),
)


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
            library = await start_library(stack, settings, folder)
            state = await start_answering(stack, library)
            pool = library.pool
            beside(stack, metrics.sample_loop_lag(), library.index.warm_up(library.db), state["offers"].announce())
            beside(stack, load_at_start(pool.get(LOCAL), settings.local))
            logger.info("llama-service {} is ready; models: {}", __version__, ", ".join(pool.names))
            yield state


@dataclass(frozen=True, slots=True)
class Library:
    """What answers stand on: rows, models, and documents with their index."""

    settings: Settings
    folder: Path
    db: Database
    log: Journal
    models: ModelFolder
    pool: Pool
    embedders: Embedders
    index: Index
    retriever: Retriever
    events: UserEvents
    documents: Documents
    rebuilding: Rebuilding
    doctor: Doctor
    readiness: Readiness

    @property
    def replica(self) -> str:
        return data_folder.replica_name(self.folder)


async def start_library(stack: AsyncExitStack, settings: Settings, folder: Path) -> Library:
    db = kept(stack, Database(settings.storage.rows_url))
    log = kept(stack, Journal(folder / "journal.db"))
    models = ModelFolder(settings.model_files, folder)
    pool = kept(stack, build_pool(settings, models))
    vectors = kept(stack, ChromaProcess(settings.storage.vectors_dir, prefix=settings.storage.collection_name))
    known = kept(stack, Embedders(settings.llm, pool))
    index = await start_index(settings, db, known, vectors)
    events, blobs = UserEvents(), Blobs(folder / "files")
    jobs = Jobs(jobs_url(settings.storage), db=db, replica=data_folder.replica_name(folder), alone=db.is_sqlite)
    stores = Stores(db, blobs, vectors, index, settings.documents)
    documents, rebuilding = await start_documents(stack, settings, stores, jobs, events)
    return Library(
        settings=settings,
        folder=folder,
        db=db,
        log=log,
        models=models,
        pool=pool,
        embedders=known,
        index=index,
        retriever=Retriever(db, embedder=known.chosen, vectors=vectors, embedder_of=index.embedder_of),
        events=events,
        documents=documents,
        rebuilding=rebuilding,
        doctor=Doctor.in_service(stores, jobs, documents, rebuilding),
        readiness=Readiness(Ports(db, vectors, log, jobs, blobs, index, pool).checks()),
    )


async def start_answering(stack: AsyncExitStack, library: Library) -> State:
    """Accounts, chats and the OpenAI surface over a library."""
    settings, db, pool, events = library.settings, library.db, library.pool, library.events
    keys = kept(stack, Keys(db))
    accounts = Accounts(db, keys, settings.auth, data_dir=library.folder)
    await ensure_first_admin(accounts, settings.auth)
    tools = Tools(db=db, pool=pool, retriever=library.retriever)
    limit = settings.chat.max_message_chars
    chat = kept(stack, ChatService(tools, library.log, events, replica=library.replica, max_message_chars=limit))
    await chat.recover()
    completions = kept(stack, Completions(db, pool, library.retriever, record=Spending(db)))
    stack.enter_context(at_exit_signal(chat.interrupt, completions.interrupt, events.close))
    kept(stack, Housekeeping(db))
    store = kept(stack, Store(library.models, settings.model_files))
    return State(
        settings=settings,
        db=db,
        accounts=accounts,
        keys=keys,
        usage=UsageFigures(db),
        conversations=Conversations(db, files=library.documents, runs=chat, events=events),
        chat=chat,
        completions=completions,
        stored_completions=StoredCompletions(db, pool, chat),
        embeddings=TextEmbeddings(pool, library.embedders.minilm, record=Spending(db)),
        documents=library.documents,
        fetcher=build_fetcher(settings.documents),
        golden=Golden(db, library.retriever, library.index.embedder),
        retriever=library.retriever,
        pulls=kept(stack, Pulls(store, events, others=pullers(pool))),
        offers=Offers(store, needed=lambda: not pool.default.capabilities.generates),
        models=Models(pool),
        rebuilding=library.rebuilding,
        doctor=library.doctor,
        events=events,
        readiness=library.readiness,
    )


def kept(stack: AsyncExitStack, thing: C) -> C:
    """Have it taken down at the end."""
    stack.push_async_callback(thing.aclose)
    return thing


async def start_index(settings: Settings, db: Database, known: Embedders, vectors: ChromaProcess) -> Index:
    """What is indexed, by the settings' embedder or by an earlier one."""
    chosen, patience_s = known.chosen, settings.documents.embedding_wait_s
    index = Index(chosen, chosen, vectors, patience_s, recipe=known.recipe, former=known.former)
    await index.prepare(db)
    return index


def beside(stack: AsyncExitStack, *work: Coroutine[None, None, None]) -> None:
    """Have it done beside the requests, and ended at the end."""
    for each in work:
        stack.callback(asyncio.create_task(each).cancel)


async def start_documents(
    stack: AsyncExitStack,
    settings: Settings,
    stores: Stores,
    jobs: Jobs,
    events: UserEvents,
) -> tuple[Documents, Rebuilding]:
    """Files, their ingestion and its jobs. The jobs' runtime is imported and launched behind the first answers."""
    db, blobs, index = stores.db, stores.blobs, stores.index
    limits, progress = settings.documents, FileProgress(events)
    ocr = OcrLimits(limits.ocr_languages, limits.ocr_page_s, limits.ocr_total_s)
    cpu_s, memory_mb = limits.parse_cpu_s, limits.parse_memory_mb
    parser = ChildParser(cpu_s=cpu_s, memory_mb=memory_mb, wall_s=limits.parse_wall_s, ocr=ocr)
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
    status = IndexStatus(db, index, events, limits)
    rebuilding = Rebuilding(db=db, index=index, stored=stores.stored, jobs=jobs, status=status)
    await jobs.start(Context(ingestion, rebuilding))
    kept(stack, jobs)
    kept(stack, documents)
    for begun in (reconciliation, rebuilding):
        begun.start()
        kept(stack, begun)
    return documents, rebuilding


def from_environment() -> FastAPI:
    try:
        return create_app(Settings.load())
    except CannotStart as error:
        sys.exit(str(error))


app = from_environment()
