"""Questions that name a document, and such as only share a word with its name."""

from collections.abc import AsyncIterator

import pytest

from app.core.enums import SearchMode
from app.crud.scope import Scope
from app.db.session import Database
from app.rag.naming import MAX_FILES, named
from app.rag.relatedness import RELATED, STRICT
from app.rag.vectors import ChromaProcess
from tests.rag.topics import Library, TopicEmbedder

NAMES = [
    "BOLDER_2021_10K.pdf",
    "BOLDER_2022_10K.pdf",
    "GREENTREE_2022_10K.pdf",
    "7Q_2022_10K.pdf",
    "Employee Handbook 2023 (final).pdf",
    "lease-agreement.docx",
    "report.pdf",
    "scan0001.pdf",
    "手册.pdf",
]


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("What were Bolder's sales in FY2021?", ["BOLDER_2021_10K.pdf"]),
        ("Did Bolder grow?", ["BOLDER_2021_10K.pdf", "BOLDER_2022_10K.pdf"]),
        ("How many people work for Green Tree?", ["GREENTREE_2022_10K.pdf"]),
        ("What is the capital of 7Q?", ["7Q_2022_10K.pdf"]),
        ("what does the handbook say of leave", ["Employee Handbook 2023 (final).pdf"]),
        ("When does the lease end?", ["lease-agreement.docx"]),
        ("手册里怎么写", ["手册.pdf"]),
        ("How large is revenue in the report of 2022?", []),
        ("What was decided in 2022?", []),
        ("Which 10K is the longest?", []),
        ("", []),
    ],
)
def test_a_document_is_known_by_its_name(question: str, expected: list[str]) -> None:
    found = named(question, {name: name for name in NAMES})
    assert sorted(found, key=NAMES.index) == expected
    assert all(0 < weight <= 1 for weight in found.values())


@pytest.mark.parametrize(
    "question",
    [
        "Please tell me how many holidays I get",
        "What is in the latest release?",
        "unauthorised transactions in the statement",
        "Wie hoch ist die Miete?",
        "Comment est calculé le loyer ?",
        "How do I use it?",
        "Give me an overview",
        "Translate the list",
    ],
)
def test_parts_of_words_and_words_of_any_question_name_nothing(question: str) -> None:
    names = ["Lease.pdf", "Actions.pdf", "Author.pdf", "Die Satzung.pdf", "Le guide.pdf", "How to use.pdf"]
    names += ["Product Overview.pdf", "Price list.pdf", "Handbook.pdf"]
    assert named(question, {name: name for name in names}) == {}


def test_vowel_signs_are_parts_of_words() -> None:
    names = {name: name for name in ("कानून.pdf", "समाचार.pdf", "เงินเดือน.pdf")}
    assert list(named("कानून में क्या लिखा है?", names)) == ["कानून.pdf"]
    assert list(named("เงินเดือนเท่าไร", names)) == ["เงินเดือน.pdf"]


def test_no_name_tells_documents_apart_that_are_alone_or_all_alike() -> None:
    assert named("the handbook", {1: "handbook.pdf"}) == {}
    assert named("the handbook", {n: f"handbook {n}.pdf" for n in range(9)}) == {}
    assert named("the handbook", {n: "handbook.pdf" if n == 7 else f"{n}.pdf" for n in range(MAX_FILES + 1)}) == {}


@pytest.fixture(scope="module")
async def vectors(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ChromaProcess]:
    store = ChromaProcess(tmp_path_factory.mktemp("vectors"), prefix="test")
    yield store
    await store.aclose()


@pytest.mark.parametrize("mode", SearchMode)
async def test_passages_of_the_named_document_come_first(
    db: Database, vectors: ChromaProcess, mode: SearchMode
) -> None:
    """All files say the same; the other halves of a search cannot tell them apart."""
    library = Library(db, vectors)
    owner = await library.user()
    files = {name: await library.file(owner, name=f"{name}.pdf") for name in ("Acorn 2021", "Birch 2021", "Cedar 2021")}
    search = library.retriever(TopicEmbedder()).search
    for name, file in files.items():
        found = await search(owner, f"music of the violin at {name.split()[0]}", scope=None, mode=mode, limit=3)
        best = found.passages[0]
        assert (best.file_id, best.page_from) == (file, 4)
        assert 0 <= found.passages[-1].score <= best.score <= 1
    narrow = Scope.of(owner, [files["Acorn 2021"], files["Birch 2021"]])
    found = await search(owner, "music of the violin at Cedar", scope=narrow, mode=mode, limit=100)
    assert files["Cedar 2021"] not in {p.file_id for p in found.passages}


async def test_a_named_document_is_found_though_it_is_not_among_the_best(db: Database, vectors: ChromaProcess) -> None:
    """Fifty files of the same text leave no room among the first hundred for the passages of the one that is named."""
    library = Library(db, vectors)
    owner = await library.user()
    for number in range(50):
        await library.file(owner, name=f"Minutes {number:03d}.pdf")
    wanted = await library.file(owner, name="Statutes.pdf")
    found = await library.retriever(TopicEmbedder()).search(
        owner, "music of the violin in the statutes", scope=None, floor=RELATED, limit=5
    )
    assert (found.passages[0].file_id, found.passages[0].page_from) == (wanted, 4)
    assert found.passages[0].cosine is not None


async def test_words_that_name_a_document_need_not_be_in_its_passages(db: Database, vectors: ChromaProcess) -> None:
    """But the rest of the question must: the name alone does not make all of a document an answer."""
    library = Library(db, vectors)
    owner = await library.user()
    wanted = await library.file(owner, name="Hornblower Statutes.pdf")
    await library.file(owner, name="other.pdf", texts=["law: hornblower statutes of the sea"])
    search = library.retriever(None).search
    asked = "What is the harvest of the Hornblower statutes?"
    found = await search(owner, asked, scope=None, floor=STRICT)
    assert (found.passages[0].file_id, found.passages[0].page_from) == (wanted, 1)
    found = await search(owner, asked.replace("harvest", "captain"), scope=None, floor=STRICT)
    assert wanted not in {p.file_id for p in found.passages}
