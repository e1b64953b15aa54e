"""The score floor: measured on a planted library, in two languages, against what was before."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from uuid import UUID

import pytest

from app.crud import chunks
from app.db.session import Database
from app.rag.embedders.minilm import MiniLM
from app.rag.relatedness import STRICT, asks_for_all
from app.rag.retriever import Retriever
from app.rag.vectors import ChromaProcess
from tests.rag import planted
from tests.rag.topics import Library

SPACE = MiniLM.fingerprint
LANGUAGES = {
    "en": (planted.ENGLISH, planted.ANSWERABLE_EN, planted.UNANSWERABLE_EN),
    "de": (planted.GERMAN, planted.ANSWERABLE_DE, planted.UNANSWERABLE_DE),
}


@dataclass(frozen=True)
class Figures:
    """Of "nothing was found", as a way to tell questions that cannot be answered."""

    precision: float
    recall: float
    right_kept: float  # of the answerable ones, the passage that answers is there


@pytest.fixture(scope="module")
async def minilm() -> AsyncIterator[MiniLM]:
    embedder = MiniLM()
    yield embedder
    await embedder.aclose()


@pytest.fixture(scope="module")
async def vectors(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ChromaProcess]:
    store = ChromaProcess(tmp_path_factory.mktemp("vectors"), prefix="test")
    yield store
    await store.aclose()


async def planted_library(db: Database, vectors: ChromaProcess, minilm: MiniLM) -> tuple[UUID, dict[str, UUID]]:
    library = Library(db, vectors)
    owner = await library.user()
    files = {}
    for language, (texts, _, _) in LANGUAGES.items():
        files[language] = await library.file(
            owner, texts, space=SPACE, vectors=await minilm.embed(texts, urgency="document")
        )
    return owner, files


@pytest.mark.parametrize(
    ("by_words", "language", "precision", "recall", "right_kept"),
    [
        (False, "en", 0.95, 0.95, 0.95),
        (False, "de", 0.9, 0.95, 0.9),
        (True, "en", 0.8, 0.95, 0.75),
        (True, "de", 0.8, 0.95, 0.75),
    ],
)
async def test_what_the_documents_do_not_have_is_known(
    sqlite_db: Database,
    vectors: ChromaProcess,
    minilm: MiniLM,
    by_words: bool,
    language: str,
    precision: float,
    recall: float,
    right_kept: float,
) -> None:
    owner, files = await planted_library(sqlite_db, vectors, minilm)
    retriever = Retriever(sqlite_db, embedder=None if by_words else minilm, vectors=vectors)
    _, answerable, unanswerable = LANGUAGES[language]

    async def found(question: str) -> set[tuple[UUID, int]]:
        passages = (await retriever.search(owner, question, scope=None, limit=24, floor=STRICT)).passages
        return {(p.file_id, p.ordinal) for p in passages}

    right = [await found(question) for question, _ in answerable]
    refused = [not await found(question) for question in unanswerable]
    wrongly = sum(not passages for passages in right)
    figures = Figures(
        precision=sum(refused) / max(1, sum(refused) + wrongly),
        recall=sum(refused) / len(refused),
        right_kept=sum(
            (files[language], gold) in passages for passages, (_, gold) in zip(right, answerable, strict=True)
        )
        / len(right),
    )
    assert figures.precision >= precision, figures
    assert figures.recall >= recall, figures
    assert figures.right_kept >= right_kept, figures


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        *(("Summarise this.", True), ("Please summarise the report", True), ("Fasse das Dokument zusammen", True)),
        *(("Résumez ce document", True), ("Give me a summary of the main points", True)),
        *(("Summarise the chapter on pumps", False), ("hello", False), ("What is it?", False), ("", False)),
    ],
)
def test_what_asks_for_a_whole_document(question: str, expected: bool) -> None:
    assert asks_for_all(question) is expected


async def test_a_word_is_as_rare_as_the_library_says(db: Database, vectors: ChromaProcess) -> None:
    library = Library(db, vectors)
    owner, other = await library.user(), await library.user()
    await library.file(owner)
    await library.file(other, ["violin"] * 8)
    found = await db.query(lambda session: chunks.rarities(session, [owner], ["appl", "violin", "nowher"]))
    assert 0 < found["appl"] < found["violin"] < found["nowher"]
    assert await db.query(lambda session: chunks.rarities(session, [owner], [])) == {}
