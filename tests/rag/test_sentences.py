import pytest

from app.rag.sentences import HEADING, LIKELY_HEADING, TEXT, units


def parts(text: str) -> list[str]:
    return [text[unit.start : unit.end] for unit in units(text)]


@pytest.mark.parametrize(
    "sentences",
    [
        ["Mr. Smith paid 3.50 to Dr. No in the U.S. market.", "He left."],
        ["It was e.g. this.", "Figure no. 5 shows it.", "Done."],
        ["He said “Stop.”", "She did!", "Why?!", "Because…"],
        ["Vgl. Abs. 3 des Gesetzes, d. h. am 3. Mai.", "Er kam."],
        ["यह एक वाक्य है।", "यह दूसरा है।"],
        ["هل أنت هنا؟", "نعم أنا هنا."],
        ["Lines that\nare wrapped by\nthe page.", "Next one."],
        ["no end at all"],
    ],
)
def test_sentences_end_where_people_end_them(sentences: list[str]) -> None:
    assert parts("  " + " ".join(sentences) + "\n") == sentences


def test_chinese_and_japanese_sentences_need_no_space() -> None:
    assert parts("今天天气很好。我们去公园！「好吗？」他问。") == [
        "今天天气很好。",
        "我们去公园！",
        "「好吗？」",
        "他问。",
    ]


def test_paragraphs_items_and_rows_end_units() -> None:
    text = "One\n\nTwo\nstill two\n- item\n  goes on\n2) item\na | b\nc | d\n"
    assert parts(text) == ["One", "Two\nstill two", "- item\n  goes on", "2) item", "a | b", "c | d"]


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ("## Marked", HEADING),
        ("2.1 Results of the Study", LIKELY_HEADING),
        ("ITEM 7. Management's Discussion", LIKELY_HEADING),
        ("General Remarks", LIKELY_HEADING),
        ("ANHANG", LIKELY_HEADING),
        ("§ 5 Begriffe", LIKELY_HEADING),
        ("general remarks", TEXT),
        ("This ends a sentence.", TEXT),
        ("This is just the start of a line that", TEXT),
        ("#hashtag", TEXT),
    ],
)
def test_headings_are_told_from_text(line: str, kind: int) -> None:
    text = f"A sentence ends here.\n\n{line}\n\nThen comes a line of text that is long enough to be one."
    assert next(unit.kind for unit in units(text) if text[unit.start :].startswith(line)) == kind


@pytest.mark.parametrize("unit", [".", '."', "。", "A ", "# x\n", "\n", "a | b\n", "Mr. ", "```\n", "- \n", "1. A\n"])
def test_hostile_repetition_loses_nothing(unit: str) -> None:
    text = unit * 20_000
    assert "".join("".join(parts(text)).split()) == "".join(text.split())
