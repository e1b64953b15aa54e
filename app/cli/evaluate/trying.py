"""Tries retrieval on sets of questions, each in every mode, and counts what it costs."""

import os
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from app.cli.bench.machine import own_cpu_s, tree, tree_cpu_s
from app.core.enums import SearchMode
from app.core.settings import DocumentSettings, Settings
from app.db.migrations import migrate
from app.db.session import Database
from app.rag import measures
from app.rag.embedders.minilm import MiniLM
from app.rag.embedders.provider import ProviderEmbedder
from app.rag.measures import Cost, Grades, Quality, Ranking
from app.rag.retriever import Passage
from app.rag.trial import Splitting, Trial
from app.rag.vectors import ChromaProcess
from app.services.index_writer import UNLIMITED_TOKENS
from app.services.llm.configured import build_pool
from app.services.llm.embedders import build_embedder

MODES = (SearchMode.TEXT, SearchMode.DENSE, SearchMode.HYBRID)
Items = Callable[[Passage], Sequence[str]]


class Figures(msgspec.Struct, frozen=True):
    """Of one set. `chunks_per_core_s`: how many chunks a CPU second split, embedded and indexed."""

    quality: dict[SearchMode, Quality]
    cost: dict[SearchMode, Cost]
    chunks: int
    chunks_per_core_s: float
    unread: dict[str, str] = {}


class Report(msgspec.Struct, frozen=True):
    """What `--json` writes: set -> figures, and the mean of their qualities."""

    embedder: str | None
    collections: dict[str, Figures]
    mean: dict[SearchMode, Quality]


@dataclass(frozen=True, slots=True)
class Attempt:
    """What all sets are tried with."""

    settings: Settings
    embedder: MiniLM | ProviderEmbedder | None
    database_url: str | None
    progress: Progress

    @property
    def documents(self) -> DocumentSettings:
        return self.settings.documents

    @property
    def modes(self) -> tuple[SearchMode, ...]:
        return MODES if self.embedder else (SearchMode.TEXT,)


@dataclass(frozen=True, slots=True)
class Asked:
    """The questions of one set, by id, and the grades of what answers them."""

    name: str
    questions: Mapping[str, str]
    grades: Mapping[str, Grades]
    items: Items


@asynccontextmanager
async def attempting(database_url: str | None) -> AsyncIterator[Attempt]:
    """The embedder of the settings, and bars on standard error."""
    settings = Settings.load()
    async with AsyncExitStack() as stack:
        pool = build_pool(settings)
        stack.push_async_callback(pool.aclose)
        embedder = build_embedder(settings.llm, pool) or (MiniLM() if MiniLM.available() else None)
        if embedder is not None:
            stack.push_async_callback(embedder.aclose)
            await embedder.identify()
        yield Attempt(settings, embedder, database_url, stack.enter_context(_bars()))


def _bars() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=Console(stderr=True))


@asynccontextmanager
async def trying(attempt: Attempt) -> AsyncIterator[Trial]:
    """An empty library that goes away."""
    embedder = attempt.embedder
    async with AsyncExitStack() as stack:
        scratch = Path(stack.enter_context(TemporaryDirectory(prefix="llama-service-eval-")))
        url = attempt.database_url or f"sqlite+aiosqlite:///{scratch / 'rows.db'}"
        await migrate(url)
        db = Database(url)
        stack.push_async_callback(db.aclose)
        vectors = ChromaProcess(scratch / "vectors", prefix="trial")
        stack.push_async_callback(vectors.aclose)
        max_tokens = embedder.max_tokens if embedder else UNLIMITED_TOKENS
        splitting = Splitting(attempt.documents.chunk_size, attempt.documents.chunk_overlap, embedder, max_tokens)
        trial = Trial(db, embedder=embedder, vectors=vectors, splitting=splitting)
        stack.push_async_callback(trial.forget)
        yield trial


class Indexing:
    """Counts the CPU seconds that filling a library takes, of all processes."""

    def __init__(self, trial: Trial) -> None:
        self._trial, self._before_s = trial, tree_cpu_s(os.getpid())

    def chunks_per_core_s(self) -> float:
        spent_s = tree_cpu_s(os.getpid()) - self._before_s
        return round(self._trial.chunks / spent_s, 1) if spent_s else 0.0


async def ask(trial: Trial, asked: Asked, attempt: Attempt) -> tuple[dict[SearchMode, Quality], dict[SearchMode, Cost]]:
    """Every question in every mode."""
    task = attempt.progress.add_task(f"{asked.name}: questions", total=len(asked.questions))
    rankings: dict[SearchMode, dict[str, Ranking]] = {mode: {} for mode in attempt.modes}
    for text in list(asked.questions.values())[:1]:  # what the first question loads is not its own cost
        await trial.search(text, attempt.modes[-1])
    processes = tree(os.getpid())
    for question, text in asked.questions.items():
        for mode in attempt.modes:
            before_s = _cpu_s(processes)
            passages = await trial.search(text, mode)
            cpu_ms = (_cpu_s(processes) - before_s) * 1000
            rankings[mode][question] = Ranking([asked.items(passage) for passage in passages], cpu_ms)
        attempt.progress.advance(task)
    quality = {mode: measures.quality(ranking, asked.grades) for mode, ranking in rankings.items()}
    return quality, {mode: measures.cost(ranking) for mode, ranking in rankings.items()}


def report(embedder: MiniLM | ProviderEmbedder | None, found: dict[str, Figures]) -> Report:
    modes = next(iter(found.values())).quality
    mean = {mode: measures.mean([figures.quality[mode] for figures in found.values()]) for mode in modes}
    return Report(embedder.fingerprint if embedder else None, found, mean)


def _cpu_s(processes: Sequence[int]) -> float:
    return sum(map(own_cpu_s, processes))
