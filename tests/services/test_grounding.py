"""What stands between a question and its passages: the query that is searched, whole short files, the score floor."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from uuid import UUID, uuid4

import pytest

from app.core.enums import Author, CountedBy, PassageMode, QueryBy, Surface
from app.core.errors import UpstreamUnavailable
from app.crud import files
from app.crud.scope import Part, Scope
from app.db.models import FilePage
from app.db.session import Database
from app.rag.retriever import Retriever
from app.services import rewriting
from app.services.answering import Spent
from app.services.grounding import Answerer, Grounded, Grounding, Need, QueryRewrite
from app.services.ledger import PastTurn
from app.services.llm.base import Delta, TokenUsage
from app.services.llm.pool import Pool
from app.services.llm.providers.passages import Passages
from app.services.llm.source import Address, Source
from app.services.rewriting import accepted, rewrite
from tests.fakes.scripted import END, Scripted
from tests.rag import planted
from tests.rag.topics import Library
from tests.services.llm.sources import terms

EARLIER = "What was the harbour company's revenue in 2021?"
FULL = "What was the harbour company's revenue in 2022?"


def said(*texts: str) -> list[PastTurn]:
    roles = (Author.USER, Author.ASSISTANT)
    return [PastTurn(uuid4(), roles[n % 2], text) for n, text in enumerate(texts)]


HISTORY = said(EARLIER, "It was 48 million euros.")


class Asking:
    """A user with the planted library, and a model that plays a script."""

    def __init__(self, db: Database, model: Scripted | Passages) -> None:
        self.db, self.model = db, model
        self.source = Source([Address("", model)], terms())
        self.pool = Pool([self.source], default=None)
        self.spent: list[Spent] = []

    async def open(self, texts: Sequence[str] = planted.ENGLISH) -> None:
        library = Library(self.db, None)
        self.user = await library.user()
        self.file = await library.file(self.user, texts, name="planted.pdf")
        self.texts = texts
        async with self.db.begin() as session:
            at = 0
            for number, text in enumerate(texts, 1):
                session.add(FilePage(file_id=self.file, number=number, char_from=at, text=f" {text}\n"))
                at += len(text) + 3

    async def record(self, spent: Spent) -> None:
        self.spent.append(spent)

    async def find(
        self,
        question: str,
        *,
        chosen: bool = False,
        context_tokens: int = 1000,
        how: QueryRewrite = "auto",
        **more: object,
    ) -> Grounded:
        retriever = Retriever(self.db, embedder=None, vectors=None)
        grounding = Grounding(self.db, self.pool, retriever, record=self.record, query_rewrite=how)
        scope = Scope([Part(self.user, [self.file])], chosen=chosen)
        need = replace(Need(self.user, question, scope), **more)  # type: ignore[arg-type]
        return await grounding.find(need, Answerer(self.source, None, context_tokens))


@pytest.fixture
async def asking(db: Database) -> AsyncIterator[Asking]:
    usage = TokenUsage(90, 12, counted_by=CountedBy.PROVIDER)
    asking = Asking(db, Scripted([Delta(FULL), Delta(finish_reason="stop", usage=usage)]))
    await asking.open()
    yield asking
    await asking.source.aclose()


async def test_a_follow_up_is_said_in_full_by_the_model(asking: Asking) -> None:
    found = await asking.find("and in 2022?", history=HISTORY, surface=Surface.OPENAI)
    assert (found.query, found.query_by, found.sources[0].page_from) == (FULL, QueryBy.MODEL, 6)
    assert isinstance(asking.model, Scripted)
    (request,) = asking.model.asked
    assert (request.options.max_tokens, request.options.temperature) == (rewriting.MAX_TOKENS, 0)
    assert EARLIER in request.turns[1].text
    assert "and in 2022?" in request.turns[1].text
    (spent,) = asking.spent
    assert (spent.user_id, spent.tokens.prompt_tokens, spent.messages, spent.surface) == (
        *(asking.user, 90, 0),
        Surface.OPENAI,
    )
    entry = found.entry()
    assert (entry["query"], entry["query_by"]) == (FULL, "model")
    assert entry["rewriting"] == {
        "model_source": "scripted",
        "model": None,
        "prompt_tokens": 90,
        "completion_tokens": 12,
        "counted_by": "provider",
    }


@pytest.mark.parametrize(
    ("question", "history", "how", "by", "asked"),
    [
        (EARLIER, HISTORY, "auto", QueryBy.QUESTION, 0),
        ("and in 2022?", [], "auto", QueryBy.QUESTION, 0),
        ("and in 2022?", [], "always", QueryBy.QUESTION, 0),
        ("and in 2022?", HISTORY, "off", QueryBy.TERMS, 0),
        ("What did the harbour company earn in 2022?", HISTORY, "always", QueryBy.MODEL, 1),
        ("When does the bakery open in 1999?", HISTORY, "always", QueryBy.QUESTION, 1),  # it lost the year
    ],
)
async def test_the_model_is_asked_only_for_what_needs_it(
    asking: Asking, question: str, history: list[PastTurn], how: QueryRewrite, by: QueryBy, asked: int
) -> None:
    found = await asking.find(question, history=history, how=how)
    assert isinstance(asking.model, Scripted)
    assert (found.query_by, len(asking.model.asked), len(asking.spent)) == (by, asked, asked)
    assert (found.query == question) is (by is QueryBy.QUESTION)


@pytest.mark.parametrize(
    "model",
    [
        Passages(),
        Scripted([UpstreamUnavailable("it is down", retry_after_s=60)]),
        Scripted([END]),
        Scripted([Delta("Berlin is a city in Germany that has many lakes and museums"), END]),
    ],
    ids=["no model", "down", "silent", "answers something else"],
)
async def test_otherwise_the_questions_before_are_added(sqlite_db: Database, model: Scripted | Passages) -> None:
    asking = Asking(sqlite_db, model)
    await asking.open()
    found = await asking.find("and in 2022?", history=HISTORY)
    assert (found.query_by, found.sources[0].page_from) == (QueryBy.TERMS, 6)
    assert found.query == "What was the harbour company's revenue in ? and in 2022?"


async def test_a_model_that_is_slow_is_not_waited_for() -> None:
    source = Source([Address("", Scripted([asyncio.Event()]))], terms())
    pool = Pool([source], default=None)
    found = await rewrite(pool, (source, None), uuid4(), "why?", HISTORY, timeout_s=0.01)
    assert found is not None
    assert (found.query, found.tokens.counted_by) == (None, CountedBy.ESTIMATE)
    assert found.tokens.prompt_tokens > 20


@pytest.mark.parametrize(
    ("text", "query"),
    [
        (f'"{FULL}"\nIt is about money.', FULL),
        (f"<think>\nThe user wants 2022.\n</think>\n\n{FULL}", FULL),
        ("<think> still thinking", None),
        (EARLIER, None),  # without the number that was asked for
        ("It was 41 million euros in 2022 since a strike closed the terminal", None),
        (FULL + " harbour" * 100, None),
        ("2022\0", None),
        ("", None),
    ],
)
def test_what_a_model_may_make_of_a_question(text: str, query: str | None) -> None:
    assert accepted(text, "and in 2022?", HISTORY) == query


async def test_a_short_file_that_was_chosen_goes_in_whole(asking: Asking) -> None:
    found = await asking.find("Summarise this.", chosen=True, context_tokens=8000)
    assert found.is_whole
    assert [(s.n, s.page_from, s.page_to) for s in found.sources] == [(n, n, n) for n in range(1, 13)]
    async with asking.db.read() as session:
        full = "\f".join(text for _, text in await files.pages(session, asking.file))
    assert [s.text for s in found.sources] == list(asking.texts)
    assert all(s.text == full[s.char_from : s.char_to] for s in found.sources)


@pytest.mark.parametrize(
    ("context_tokens", "more"),
    [
        (8000, {"chosen": True, "mode": PassageMode.PASSAGES}),
        (8000, {"chosen": False}),
        (1500, {"chosen": True}),  # a third of it is too small
        (8000, {"scope": Scope([Part(UUID(int=1), [UUID(int=n) for n in range(51)])], chosen=True)}),
    ],
)
async def test_what_does_not_go_in_whole(asking: Asking, context_tokens: int, more: dict[str, object]) -> None:
    found = await asking.find("When does the bakery open?", context_tokens=context_tokens, **more)
    assert not found.is_whole
    assert len(found.sources) < 12


@pytest.mark.parametrize("chosen", [False, True])
@pytest.mark.parametrize(
    ("question", "found"),
    [
        ("When does the bakery open on Saturdays?", True),
        ("Which enzyme unwinds the double helix of the days?", False),
        ("Summarise this.", True),
    ],
)
async def test_strict_asks_for_something_related(asking: Asking, chosen: bool, question: str, found: bool) -> None:
    """The words alone of "summarise this" find nothing in a library."""
    grounded = await asking.find(question, chosen=chosen, strict=True, context_tokens=8000)
    expected = found and (chosen or "Summarise" not in question)
    assert bool(grounded.sources) is expected
    assert grounded.is_whole is (expected and chosen)


async def test_no_files_ask_nothing(asking: Asking) -> None:
    found = await asking.find("and in 2022?", history=HISTORY, scope=Scope())
    assert (found.sources, found.query_by, asking.spent) == ([], QueryBy.QUESTION, [])
