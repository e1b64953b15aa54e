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
        assert all(len(limit.token_offsets([chunk.text])[0]) <= max_tokens for chunk in chunks)


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


def test_an_empty_file_has_no_chunks() -> None:
    assert texts_of(["", " \n\t", "\u3000"]) == []
    assert texts_of([]) == []
