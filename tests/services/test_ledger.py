"""What goes into a prompt, what is left out, and that both are on record."""

from uuid import UUID, uuid4

import pytest

from app.core.enums import Author
from app.core.errors import ContextOverflow
from app.schemas.chat import Source
from app.services import ledger
from app.services.ledger import PastTurn, PromptParts, assemble, check_fits, cost
from app.services.llm.tokens import estimate_tokens


def past(*said: str) -> list[PastTurn]:
    """Questions and answers in turns; "" stands for an answer that never came."""
    roles = (Author.USER, Author.ASSISTANT)
    return [PastTurn(UUID(int=n + 1), roles[n % 2], content) for n, content in enumerate(said) if content]


def source(n: int, words: int = 20) -> Source:
    return Source(n, uuid4(), f"file{n}.pdf", n, n, 0, 1, "word " * words, 1.0)


def contents(parts: PromptParts, context_tokens: int = 4096, max_tokens: int | None = None) -> list[str]:
    prompt = assemble(parts, context_tokens=context_tokens, max_tokens=max_tokens)
    return [f"{t.role.value}: {t.content}" for t in prompt.turns[1:]]


def test_history_stands_before_the_question() -> None:
    assert contents(PromptParts("three", past("one", "1", "two", "2"))) == [
        "user: one",
        "assistant: 1",
        "user: two",
        "assistant: 2",
        "user: three",
    ]


def test_a_continued_answer_ends_the_prompt_with_the_wish_to_go_on() -> None:
    assert contents(PromptParts("one", [], partial="1, 2,")) == [
        "user: one",
        "assistant: 1, 2,",
        f"user: {ledger.CONTINUE}",
    ]


@pytest.mark.parametrize("context_tokens", [300, 420, 600, 1000, 4096])
def test_what_is_kept_fits_and_is_whole_turns_from_the_end(context_tokens: int) -> None:
    history = past(*(word * 60 for word in "a b c d e f g h".split()))  # noqa: SIM905
    parts = PromptParts("question", history)
    prompt = assemble(parts, context_tokens=context_tokens, max_tokens=None)
    assert len(prompt.kept) % 2 == 0
    assert [*prompt.dropped, *prompt.kept] == [t.message_id for t in history]
    assert prompt.prompt_tokens <= context_tokens - ledger.answer_tokens(context_tokens, None)
    wider = assemble(parts, context_tokens=context_tokens + 100_000, max_tokens=None)
    assert wider.dropped == []


def test_a_turn_that_does_not_fit_ends_the_history() -> None:
    """Older ones are not kept around a hole."""
    history = past("short", "short", "long " * 3000, "answer", "newest", "answer")
    prompt = assemble(PromptParts("question", history), context_tokens=4096, max_tokens=None)
    assert prompt.kept == [t.message_id for t in history[-2:]]


def test_a_question_without_an_answer_is_a_turn_of_its_own() -> None:
    assert contents(PromptParts("three", past("one", "", "two", "2"))) == [
        "user: one",
        "user: two",
        "assistant: 2",
        "user: three",
    ]


def test_passages_take_at_most_half_and_only_whole_ones_are_listed() -> None:
    sources = [source(n, 200) for n in range(1, 9)]
    prompt = assemble(
        PromptParts("q", past("a" * 2000, "b"), sources, searched=True), context_tokens=2048, max_tokens=None
    )
    assert 0 < len(prompt.sources) < 8
    assert prompt.sources == sources[: len(prompt.sources)]
    question = prompt.turns[-1].content
    assert all(f"[{s.n}] {s.file_name}, page {s.page_from}\n" in question for s in prompt.sources)
    assert f"[{len(prompt.sources) + 1}]" not in question
    assert question.endswith("Question: q")
    assert prompt.prompt_tokens <= 2048 - ledger.answer_tokens(2048, None)


def test_the_system_prompt_says_how_to_treat_passages() -> None:
    def system(**parts: object) -> str:
        return assemble(PromptParts("q", [], **parts), context_tokens=4096, max_tokens=None).system_prompt  # type: ignore[arg-type]

    assert system() == ledger.SYSTEM
    assert system(sources=[source(1)], searched=True) == ledger.SYSTEM + ledger.GROUNDED
    assert system(searched=True) == ledger.SYSTEM + ledger.NOTHING_FOUND
    assert system(sources=[source(1, 9000)], searched=True) == ledger.SYSTEM + ledger.NOTHING_FOUND  # it does not fit
    assert system(system_prompt="Mine.", sources=[source(1)], searched=True) == "Mine." + ledger.GROUNDED


@pytest.mark.parametrize("max_tokens", [None, 10, 100, 1_000_000])
def test_the_answer_keeps_its_room(max_tokens: int | None) -> None:
    room = ledger.answer_tokens(4096, max_tokens)
    assert 0 < room <= 1024
    prompt = assemble(PromptParts("q", past(*["word " * 100] * 20)), context_tokens=4096, max_tokens=max_tokens)
    assert prompt.prompt_tokens + room <= 4096


@pytest.mark.parametrize("question", ["word " * 4000, "中" * 4000])
def test_what_can_never_fit_is_refused_with_both_figures(question: str) -> None:
    for parts in (PromptParts(question, []), PromptParts("q", [], partial=question)):
        with pytest.raises(ContextOverflow) as caught:
            check_fits(parts, context_tokens=4096, max_tokens=None)
        assert caught.value.details["needed_tokens"] > 3072  # type: ignore[operator]
        assert caught.value.details["available_tokens"] == 3072
        assert caught.value.details["counted_by"] == "estimate"


@pytest.mark.parametrize("size", range(0, 16_000, 531))
def test_what_passes_the_check_fits(size: int) -> None:
    parts = PromptParts("x" * size, past("a", "b"), [source(1)], searched=True, system_prompt="Be brief.")
    try:
        check_fits(parts, context_tokens=4096, max_tokens=None)
    except ContextOverflow:
        return
    assert assemble(parts, context_tokens=4096, max_tokens=None).prompt_tokens <= 3072


def test_the_record_of_a_prompt() -> None:
    history = past("one", "1")
    entry = assemble(PromptParts("two", history), context_tokens=4096, max_tokens=None).entry()
    assert entry["turns_kept"] == [str(t.message_id) for t in history]
    assert entry["turns_dropped"] == []
    assert entry["counted_by"] == "estimate"
    assert [m["role"] for m in entry["messages"]] == ["system", "user", "assistant", "user"]  # type: ignore[attr-defined, index]
    assert entry["prompt_tokens"] == sum(cost(m["content"]) for m in entry["messages"])  # type: ignore[attr-defined, index]


def test_estimates_are_rather_too_high() -> None:
    assert estimate_tokens("") == 1
    assert estimate_tokens("word " * 100) >= 100
    assert estimate_tokens("中文" * 50) >= 100
