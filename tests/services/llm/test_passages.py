"""Without a model the passages themselves are the answer."""

from app.services.llm.base import Generation, PassageText
from app.services.llm.providers.passages import NO_FILES, NO_MODEL, NOTHING_FOUND, Passages


def passage(n: int, text: str = "The harbour.") -> PassageText:
    return PassageText(n, f"file{n}.pdf", n, n + n % 2, text)


async def answer(*passages: PassageText, searched: bool = True) -> str:
    deltas = [d async for d in Passages().stream(Generation([], passages=passages, searched=searched))]
    assert [d.finish_reason for d in deltas[:-1]] == [None] * (len(deltas) - 1)
    assert deltas[-1].finish_reason == "stop"
    return "".join(d.text for d in deltas)


async def test_the_best_passages_are_quoted_with_file_pages_and_number() -> None:
    said = await answer(*(passage(n) for n in range(1, 6)))
    assert said.startswith(NO_MODEL)
    assert "**file1.pdf, pages 1-2** [1]\n\n> The harbour.\n" in said
    assert "**file2.pdf, page 2** [2]" in said
    assert said.endswith("See also file4.pdf, page 4 [4], file5.pdf, pages 5-6 [5].\n")


async def test_a_quotation_stays_one_and_is_cut_at_a_word() -> None:
    said = await answer(passage(1, "one\n\ntwo\n" + "word " * 300))
    lines = [line for line in said.split("\n") if line.startswith(">")]
    assert lines[:2] == ["> one", "> two"]
    assert lines[2].endswith("word …")
    assert len(said) < 1000


async def test_nothing_to_quote() -> None:
    assert await answer() == NOTHING_FOUND
    assert await answer(searched=False) == NO_FILES


async def test_it_has_no_models() -> None:
    assert await Passages().models() == []
