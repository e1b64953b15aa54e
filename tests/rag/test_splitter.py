import random
import re
from collections.abc import Sequence
from itertools import pairwise

import pytest

from app.rag.base import Chunk, Page
from app.rag.splitter import Splitter, split

ALPHABET = "aB1. 。!?😀𝔘\n\n\t #|-é我”\u3000ж،؟"
WORDS = [
    "Alpha",
    "beta",
    "naïve",
    "😀",
    "3.14",
    "U.S.",
    "我能吞下玻璃。",
    "done.",
    "end!\n",
    "\n\n",
    "# Head\n",
    "x" * 130,
    "a | b\n",
    "\n| Name | Age |\n| --- | --- |\n",
    "| Ada | 36 |\n",
    "\n\n| end | here |\n|---|---|",
]
PROSE = "The quick brown fox jumps over the lazy dog near the river. Then it sleeps for an hour or two. "


class EveryThree:
    """Tokens of three characters, counted from the start of each text: a part has other tokens than the whole."""

    def token_offsets(self, texts: Sequence[str]) -> list[list[int]]:
        assert all(len(text) <= 5000 for text in texts)
        return [[min(end, len(text)) for end in range(3, len(text) + 3, 3)] for text in texts]


class Words:
    """Long words are one token, as in WordPiece; short ones have a token for each letter."""

    def token_offsets(self, texts: Sequence[str]) -> list[list[int]]:
        assert all(len(text) <= 5000 for text in texts)
        return [[end for word in re.finditer(r"\S+", text) for end in self._ends(word)] for text in texts]

    def _ends(self, word: re.Match[str]) -> list[int]:
        return [word.end()] if len(word[0]) > 100 else list(range(word.start() + 1, word.end() + 1))


def texts_of(pages: Sequence[str], *, size: int = 1000, overlap: int = 200) -> list[str]:
    return [chunk.text for chunk in split(numbered(pages), size=size, overlap=overlap)]


def numbered(pages: Sequence[str]) -> list[Page]:
    return [Page(number, text) for number, text in enumerate(pages, 1)]


def check(pages: Sequence[str], chunks: Sequence[Chunk], size: int) -> None:
    """What holds for every text."""
    full = "\f".join(pages)
    starts = [0]
    for page in pages:
        starts.append(starts[-1] + len(page) + 1)
    covered = bytearray(len(full))
    for ordinal, chunk in enumerate(chunks):
        assert chunk.ordinal == ordinal
        assert chunk.text == full[chunk.char_from : chunk.char_to]
        assert chunk.text == chunk.text.strip() != ""
        assert len(chunk.text) <= size
        assert starts[chunk.page_from - 1] <= chunk.char_from < starts[chunk.page_from]
        assert starts[chunk.page_to - 1] < chunk.char_to <= starts[chunk.page_to] - 1
        covered[chunk.char_from : chunk.char_to] = b"\1" * len(chunk.text)
    assert "".join(c for c, seen in zip(full, covered, strict=True) if not seen).strip() == ""
    assert [c.char_to for c in chunks] == sorted(c.char_to for c in chunks)


@pytest.mark.parametrize("seed", range(60))
def test_random_texts_are_cut_exactly(seed: int) -> None:
    chance = random.Random(seed)
    pages = [
        "".join(chance.choices(ALPHABET, k=chance.randrange(400)))
        if chance.random() < 0.5
        else " ".join(chance.choices(WORDS, k=chance.randrange(200)))
        for _ in range(chance.randrange(1, 6))
    ]
    size = chance.choice([7, 50, 300, 1000])
    overlap = chance.choice([0, size // 5, size - 1])
    chunks = split(numbered(pages), size=size, overlap=overlap)
    check(pages, chunks, size)
    assert chunks == split(numbered(pages), size=size, overlap=overlap)
    for limit in (EveryThree(), Words()):
        max_tokens = chance.choice([1, 5, 64, 254])
        chunks = split(numbered(pages), size=size, overlap=overlap, limit=limit, max_tokens=max_tokens)
        check(pages, chunks, size)
        assert all(len(limit.token_offsets([chunk.spoken])[0]) <= max_tokens for chunk in chunks)


def test_pages_can_be_fed_one_by_one() -> None:
    pages = numbered([PROSE * 30, "", "and so on. " + PROSE * 5])
    splitter = Splitter(size=500, overlap=100, limit=None, max_tokens=1)
    assert [chunk for page in pages for chunk in splitter.feed(page)] == split(pages, size=500, overlap=100)


def test_chunks_are_sentences_and_repeat_the_last_one() -> None:
    sentences = [f"This is sentence number {n} of the text." for n in range(40)]
    chunks = texts_of([" ".join(sentences)], size=300, overlap=100)
    for before, after in pairwise(chunks):
        assert after.startswith(before[before.rindex("This") :])
    assert all(chunk.startswith("This") and chunk.endswith("text.") for chunk in chunks)
    plain = texts_of([" ".join(sentences)], size=300, overlap=20)
    assert " ".join(plain) == " ".join(sentences)


def test_headings_begin_chunks_and_never_end_them() -> None:
    section = "## Part {0}\n\n" + PROSE * 2
    chunks = texts_of(["# Title\n\n" + "\n\n".join(section.format(n) for n in range(5))])
    assert [chunk.split("\n")[0] for chunk in chunks] == ["# Title", *(f"## Part {n}" for n in range(1, 5))]
    late = "A short beginning.\n\nGeneral Remarks\n\nThe " + "very " * 190 + "long sentence."
    assert [chunk.split("\n")[0] for chunk in texts_of([late])] == ["A short beginning.", "General Remarks"]


def test_likely_headings_of_plain_text_begin_chunks() -> None:
    body = "\n".join([PROSE.strip()] * 5)
    page = f"{body}\n2.1 Results of the Study\n{body}\nGENERAL REMARKS\n{body}"
    assert [chunk.split("\n")[0] for chunk in texts_of([page])] == [
        PROSE.strip(),
        "2.1 Results of the Study",
        "GENERAL REMARKS",
    ]


def test_comments_of_a_program_are_no_headings() -> None:
    code = "\n".join(f"# Set number {n}\nvalue_{n} = {n}" for n in range(20))
    assert all(len(chunk) >= 250 for chunk in texts_of([code])[:-1])
    fenced = "```\n\n# not a heading\n\n```\n\n" * 3
    assert len(texts_of([fenced])) == 1


def test_long_runs_are_cut_at_lines_then_spaces_then_anywhere() -> None:
    lines = "\n".join(f"{n} 12.5 17.5 a b c" for n in range(200))
    assert all(line.count(" ") == 5 for chunk in texts_of([lines], size=200, overlap=0) for line in chunk.split("\n"))
    words = "word " * 200
    assert all(chunk.split(" ")[-1] == "word" for chunk in texts_of([words], size=202, overlap=0))
    assert [len(chunk) for chunk in texts_of(["A" * 450], size=200, overlap=50)] == [200, 200, 50]


def test_a_sentence_over_a_page_break_is_whole_in_the_next_page() -> None:
    pages = [PROSE * 3 + "The revenue of the whole", "company grew. " + PROSE]
    first, second = split(numbered(pages), size=1000, overlap=200)
    assert (first.page_from, first.page_to, second.page_from, second.page_to) == (1, 1, 1, 2)
    assert second.text.startswith("The revenue of the whole\fcompany grew.")
    assert split(numbered([pages[0], "Capital letter. " + PROSE]), size=1000, overlap=200)[1].page_from == 2
    assert split(numbered(pages), size=1000, overlap=5)[1].page_from == 2


@pytest.mark.parametrize(("end", "start", "page_from"), [("今天天气", "很好。", 1), ("mail@example.org", "很好。", 2)])
def test_a_script_without_capitals_goes_on_after_itself(end: str, start: str, page_from: int) -> None:
    assert split(numbered(["好。" + end, start]), size=1000, overlap=200)[1].page_from == page_from


def table(rows: int, *, columns: int = 2, start: int = 0) -> str:
    """Rows whose cells say their row and column."""
    return "\n".join(
        "| " + " | ".join(f"cell {row}.{column}" for column in range(columns)) + " |"
        for row in range(start, start + rows)
    )


HEADER = "| Name | Years of age |\n| --- | --- |\n"


def test_passages_that_begin_in_a_table_know_its_header() -> None:
    page = f"# Staff\n\nWho works here.\n\n{HEADER}{table(40)}\n\nAfter the table. {PROSE * 8}"
    chunks = split(numbered([page]), size=300, overlap=200)
    check([page], chunks, 300)
    first, *inside = [chunk for chunk in chunks if "cell" in chunk.text]
    assert (first.context, HEADER in first.text) == ("", True)
    assert {chunk.context for chunk in inside} == {"Who works here.\n| Name | Years of age |"}
    assert all(chunk.text.startswith("| cell") for chunk in inside)
    assert sum(chunk.text.count("cell 17.0") for chunk in chunks) == 1  # rows are not repeated as sentences are
    assert inside[0].spoken == f"{inside[0].context}\n{inside[0].text}"
    assert chunks[-1].context == ""


def test_a_header_does_not_stand_alone_and_leaves_its_caption_as_context() -> None:
    page = f"{PROSE * 2}\n\nTable 3. Staff of the house\n\n{HEADER}{table(3)}"
    before, after = split(numbered([page]), size=280, overlap=0)
    assert before.text.endswith("Staff of the house")
    assert (after.context, after.text.startswith(HEADER)) == ("Table 3. Staff of the house", True)


def test_a_table_goes_on_over_pages() -> None:
    pages = [HEADER + table(2), table(2, start=2), "Other words.", table(2)]
    contexts = [chunk.context for chunk in split(numbered(pages), size=300, overlap=0)]
    assert contexts == ["", "| Name | Years of age |", "", ""]
    assert split(numbered([pages[0], HEADER + table(2)]), size=300, overlap=0)[1].context == ""
    assert split(numbered([pages[0], table(2, columns=3)]), size=300, overlap=0)[1].context == ""


def test_a_row_that_is_cut_has_the_names_of_its_own_columns() -> None:
    names = "| " + " | ".join(f"N{column}" for column in range(60)) + " |"
    page = f"{names}\n|{' --- |' * 60}\n{table(2, columns=60)}"
    chunks = split(numbered([page]), size=400, overlap=0, limit=Words(), max_tokens=300)
    for chunk in chunks:
        assert len(Words().token_offsets([chunk.spoken])[0]) <= 300
        if found := re.match(r"\| cell \d\.(\d+)", chunk.text):
            assert chunk.context.startswith(f"| N{found[1]} | ")
    assert len({chunk.context for chunk in chunks}) > 3


def test_very_long_headers_are_cut() -> None:
    names = "| " + " | ".join(f"What do you think of number {n} {'really ' * 20}" for n in range(30)) + " |"
    page = f"{names}\n|{' --- |' * 30}\n" + "\n".join("|" + " x |" * 30 for _ in range(20))
    chunks = split(numbered([page]), size=1000, overlap=0)
    assert 0 < len(chunks[-1].context) <= 600
    assert chunks[-1].context.startswith("| What do you think o… | What do")
    chunks = split(numbered([page]), size=1000, overlap=0, limit=Words(), max_tokens=100)
    assert 0 < len(chunks[-1].context) < 60


@pytest.mark.parametrize(
    "markdown",
    [
        "a | b\n--- | ---\nc | d",
        "| a |\n|---|\n| c |",
        "text\n\n  | a | b \\| c |\n  |:--|--:|\n  | d | e |\n| f |",
    ],
)
def test_tables_as_people_write_them_are_found(markdown: str) -> None:
    rows = split(numbered([markdown + "\n"]), size=15, overlap=0)
    assert rows[-1].context.splitlines()[-1].strip("| ").startswith("a")


@pytest.mark.parametrize(
    "markdown", ["| a |\n", "a\n---\nb", "---|---\na | b", "| a | b |\n| --- |\n| c | d |", "|" * 99]
)
def test_what_only_looks_like_a_table_has_no_context(markdown: str) -> None:
    assert {chunk.context for chunk in split(numbered([markdown * 3]), size=8, overlap=0)} == {""}


def test_an_empty_file_has_no_chunks() -> None:
    assert texts_of(["", " \n\t", "\u3000"]) == []
    assert texts_of([]) == []
