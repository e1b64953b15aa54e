"""The sets that retrieval is measured on: collections of texts, and folders of documents."""

from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from app.cli.evaluate.trying import Asked, Attempt, Figures, Indexing, Report, ask, attempting, report, trying
from app.core.errors import AppError
from app.rag import evaluation, gold
from app.rag.evaluation import Collection
from app.rag.gold import Documents
from app.rag.pages import Page, ParseError
from app.rag.parser import ChildParser
from app.rag.retriever import Passage
from app.rag.sniff import SNIFF_BYTES
from app.rag.trial import Trial
from app.services.uploads import Sniffed


async def measure_collections(folder: Path, database_url: str | None) -> Report:
    """Raises ValidationFailed for a collection that cannot be read."""
    collections = [evaluation.load(path) for path in evaluation.collections(folder)]
    async with attempting(database_url) as attempt:
        found = {collection.name: await _collection(collection, attempt) for collection in collections}
        return report(attempt.embedder, found)


async def measure_documents(folder: Path, database_url: str | None) -> Report:
    """Raises ValidationFailed for questions that cannot be read, or whose page does not exist."""
    sets = [gold.load_documents(path) for path in gold.folders(folder)]
    async with attempting(database_url) as attempt:
        return report(attempt.embedder, {each.name: await _documents(each, attempt) for each in sets})


async def _collection(collection: Collection, attempt: Attempt) -> Figures:
    async with trying(attempt) as trial:
        task = attempt.progress.add_task(f"{collection.name}: documents", total=len(collection.documents))
        indexing = Indexing(trial)
        async for done in trial.index(collection):
            attempt.progress.update(task, completed=done)
        speed = indexing.chunks_per_core_s()
        questions = {query.id: query.text for query in collection.judged}

        def items(passage: Passage) -> Sequence[str]:
            return [collection.documents[passage.page_from - 1].id]

        quality, cost = await ask(trial, Asked(collection.name, questions, collection.grades, items), attempt)
        return Figures(quality, cost, trial.chunks, speed)


async def _documents(documents: Documents, attempt: Attempt) -> Figures:
    async with trying(attempt) as trial:
        unread, pages_of, speed = await _read(documents, trial, attempt)
        gold.check_pages(documents, pages_of)
        questions = {question.id: question.text for question in documents.questions}
        grades = {question.id: question.grades for question in documents.questions}
        quality, cost = await ask(trial, Asked(documents.name, questions, grades, _pages), attempt)
        return Figures(quality, cost, trial.chunks, speed, unread)


async def _read(documents: Documents, trial: Trial, attempt: Attempt) -> tuple[dict[str, str], dict[str, int], float]:
    """Files that could not be read, each with the reason; the number of pages of the others; chunks per core-second."""
    limits = attempt.documents
    parser = ChildParser(cpu_s=limits.parse_cpu_s, memory_mb=limits.parse_memory_mb, wall_s=limits.parse_wall_s)
    task = attempt.progress.add_task(f"{documents.name}: documents", total=len(documents.files))
    unread: dict[str, str] = {}
    pages_of: dict[str, int] = {}
    indexing = Indexing(trial)
    for name in documents.files:
        try:
            pages = await _parsed(parser, documents.folder / name)
            await trial.add(name, pages)
            pages_of[name] = len(pages)
        except (ParseError, AppError) as error:
            unread[name] = error.message
        attempt.progress.advance(task)
    return unread, pages_of, indexing.chunks_per_core_s()


async def _parsed(parser: ChildParser, path: Path) -> list[Page]:
    sniffed = await Sniffed.of(_head(path), path.name)
    return [page async for page, _ in parser.pages(path, await sniffed.media_type(path))]


async def _head(path: Path) -> AsyncIterator[bytes]:
    with path.open("rb") as file:
        yield file.read(SNIFF_BYTES)


def _pages(passage: Passage) -> Sequence[str]:
    return [gold.page_key(passage.file_name, page) for page in range(passage.page_from, passage.page_to + 1)]
