"""Citations of an answer against the passages that were sent: what counts as one, what supports it, and where."""

import random
from uuid import UUID

import pytest

from app.core.enums import Match
from app.rag import planted
from app.rag.citations import MAX_CITATIONS, Checker, check
from app.rag.claims import judgement
from app.rag.claims.scanner import MAX_SENTENCE, WINDOW
from app.schemas.chat import CitationChecked, Source, Stretch

ACME = (
    "Acme Robotics sold 1,200 units in Germany in 2021. Revenue rose by 5.2 % to EUR 4.2 million. The board said that "
    "margins will remain under pressure until 3 May 2022."
)
GLOBEX = "Globex opened three plants in France. The plants employ 450 people and cost $12.5 million."
WERK = "Das Werk in Hamburg erzeugt jährlich 3.400 Tonnen Stahl und beschäftigt 1.200 Mitarbeiter."
TOKYO = "東京都の人口は約1,400万人で、面積は2,194平方キロメートルである。2021年にはオリンピックが開催された。"
FINDINGS = "As shown by earlier work on lattice models [12], the effect is small. The effect was 3 % in trials."


def source(n: int, text: str, *, context: str = "", pages: tuple[int, int] = (3, 3)) -> Source:
    at = 1000 * n
    return Source(n, UUID(int=n), f"report-{n}.pdf", *pages, at, at + len(text), text, 0.5, context)


SENT = [source(n, text) for n, text in enumerate((ACME, GLOBEX, WERK, TOKYO), 1)]


def numbers(answer: str) -> list[int]:
    return [found.n for found in check(answer, SENT)]


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("Globex has 450 people [2].", [2]),
        ("Globex has 450 people. [2] More text.", [2]),
        ("Globex has 450 people.[2]", [2]),
        ("Globex has 450 people [1][2], 450 [1, 2] and 450 [1-3].", [1, 2, 1, 2, 1, 2, 3]),
        ("人口【4】。面积［４］と［2］", [4, 4, 2]),
        ("Globex 【2†source】", [2]),
        ("- Globex [2]\n* Acme [1]\n1. Werk [3]\n## Heading [1]\n", [2, 1, 3, 1]),
        ("| Globex [2] | Acme [1] |\n", [2, 1]),
        ("> Globex opened three plants [2]\n", [2]),
        ("`a[1]` and ``b[2]`` are code", []),
        ("```\nx[1]\n```\n~~~\ny[2]\n~~~\n", []),
        ("text\n\n    x[1]\n\nGlobex [2]\n", [2]),
        ("[1](https://example.org) and [text](x) and ![2](y)", []),
        ("[1]: https://example.org\n", []),
        ("\\[1\\] and [x] and [ ] and [2023] and [1a]", []),
        ("An unclosed ` tick and Globex [2].", [2]),
        ("", []),
    ],
)
def test_marks(answer: str, expected: list[int]) -> None:
    assert numbers(answer) == expected


@pytest.mark.parametrize(
    ("answer", "match"),
    [
        ("Acme Robotics sold 1,200 units in Germany in 2021 [1].", Match.EXACT),
        ("ACME robotics  sold 1,200 units in\nGermany in 2021 [1].", Match.NORMALISED),
        ("It says “margins will remain under pressure” [1].", Match.EXACT),
        ("It says “Margins will re-\nmain under pressure” [1].", Match.NORMALISED),
        ("It says “The board said … until 3 May 2022” [1].", Match.EXACT),
        ("**report-1.pdf, page 3** [1]\n\n> Revenue rose by 5.2 % to EUR 4.2 million.\n\nMore.", Match.EXACT),
        ("Revenue rose 5.2% to 4.2 million euros [1].", Match.OVERLAP),
        ("In Germany, 1200 units were sold [1].", Match.OVERLAP),
        ("According to [1], revenue was €4.2m.", Match.OVERLAP),
        ("The plant in Hamburg makes 3,400 tonnes of steel a year [3].", Match.OVERLAP),
        ("Tokyo has 14 million inhabitants [4].", Match.OVERLAP),
        ("東京の人口はおよそ1400万人です[4]。", Match.OVERLAP),
        ("Das Werk beschäftigt 1200 Menschen [3].", Match.OVERLAP),
        ("Acme sold 1,200 units and Globex employs 450 people [1][2].", Match.OVERLAP),
        ("This is on page 3 of report-2.pdf [2].", Match.OVERLAP),
        ("Yes [1].", None),
        ("Es gibt dort viele verschiedene schöne Dinge zu sehen [2].", None),
    ],
)
def test_true_citations(answer: str, match: Match | None) -> None:
    found = check(answer, SENT)
    assert found
    assert {(one.supported, one.match) for one in found} == {(True, match)}, found


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("Revenue rose by 6.2 % [1].", "“6.2 %” is not in passage 1"),
        ("Revenue was 4.2 billion euros [1].", "“4.2 billion euros” is not in passage 1"),
        ("Globex employs 450 people [1].", "“450” is not in passage 1; passage 2 has it"),
        ("Until 3 June 2022 margins stay under pressure [1].", "“3 June 2022” is not in passage 1"),
        ("It says “margins will fall under pressure” [1].", "the quoted words “margins will fall under pressure”"),
        ("It says “a golden future lies ahead of us” [1].", "the quoted words"),
        ("> Revenue rose by a lot in that year\n> [1]\n", "the quoted words"),
        ("Globex sold 1,200 units in Germany [1].", "the name “Globex” is not in passage 1"),
        ("Acme Robotics sold 1,200 units in France [1].", "the name “France” is not in passage 1"),
        ("Das Werk in Bremen erzeugt 3.400 Tonnen Stahl [3].", "the name “Bremen” is not in passage 3"),
        ("Globex opened four plants in France [2].", "“four” is not in passage 2"),
        ("Bananas grow in warm and wet regions [1].", "only 0% of the sentence is in passage 1; 30% are needed"),
        ("Steel from there is 3,500 tonnes [3].", "“3,500 tonnes” is not in passage 3"),
        ("東京の人口は約1,300万人です[4]。", "“1,300万” is not in passage 4"),
        ("Globex has 450 people [9].", "there is no passage 9; 4 were sent"),
        ("Globex has 450 people [0].", "there is no passage 0; 4 were sent"),
    ],
)
def test_false_citations(answer: str, reason: str) -> None:
    (found,) = check(answer, SENT)
    assert (found.supported, found.match) == (False, None)
    assert found.reason is not None
    assert found.reason.startswith(reason)


def test_each_mark_stands_for_its_own_part_of_a_sentence() -> None:
    good = check("Acme made 4.2 million [1], while Globex spent 12.5 million dollars [2].", SENT)
    assert [(one.n, one.supported) for one in good] == [(1, True), (2, True)]
    exchanged = check("Acme made 4.2 million [2], while Globex spent 12.5 million dollars [1].", SENT)
    assert [(one.n, one.supported) for one in exchanged] == [(2, False), (1, False)]
    leading = check("[1] says that revenue was 4.2 million, and [2] that 450 people are employed.", SENT)
    assert [(one.n, one.supported) for one in leading] == [(1, True), (2, True)]


def test_places_are_code_points_of_the_answer_and_of_the_file() -> None:
    answer = "𝒜 first.\n\n- It says “margins will remain under pressure” [1].\n"
    (found,) = check(answer, SENT)
    assert answer[found.char_from : found.char_to] == "It says “margins will remain under pressure” [1]."
    assert answer[found.mark.char_from : found.mark.char_to] == "[1]"
    assert found.quote is not None
    assert ACME[found.quote.char_from - 1000 : found.quote.char_to - 1000] == "margins will remain under pressure"


def test_words_of_the_context_count_but_have_no_place_in_the_file() -> None:
    sent = [source(1, "Bergen | 4.2", context="Town | Rain in metres")]
    (found,) = check("“Rain in metres” is a column [1].", sent)
    assert (found.supported, found.quote) == (True, None)
    (found,) = check("The table says “Bergen | 4.2” of it [1].", sent)
    assert found.quote == Stretch(1000, 1012)


def test_no_place_is_given_where_the_passage_is_not_cut_out_of_the_file_as_it_is() -> None:
    sent = [Source(1, UUID(int=1), "a.pdf", 1, 2, 0, 999, ACME, 0.5)]
    (found,) = check("It says “margins will remain under pressure” [1].", sent)
    assert (found.match, found.quote) == (Match.EXACT, None)


def test_the_passages_own_references_are_no_citations() -> None:
    sent = [source(1, FINDINGS)]
    answer = "**report-1.pdf, page 3** [1]\n\n> As shown by earlier work on lattice models [12], the effect is small.\n"
    assert [(one.n, one.supported) for one in check(answer, sent)] == [(1, True)]
    assert [one.n for one in check("Nobody has looked at this yet [12].", sent)] == [12]


def test_where_no_passage_was_sent_none_can_be_cited() -> None:
    (found,) = check("So it is [1].", [])
    assert (found.supported, found.reason) == (False, "there is no passage 1; no passage was sent")


@pytest.mark.parametrize(("shared", "supported"), [(2, False), (3, True)])
def test_threshold_of_words(shared: int, supported: bool) -> None:
    words = ["apples", "bridge", "candle", "dragon", "engine", "forest", "garden", "hammer", "island"]
    sent = [source(1, " ".join(words[:shared]) + " xylophone quartz")]
    (found,) = check(f"{' '.join(words)} [1]", sent)
    assert (found.supported, found.score >= judgement.WORDS) == (supported, supported)


@pytest.mark.parametrize(("changed", "supported"), [(1, True), (2, False)])
def test_threshold_of_quotations(changed: int, supported: bool) -> None:
    said = "a ship that is in the harbour is safe but that is not what ships are for"
    quote = said.replace("is safe", "was safe", 1)
    if changed == 2:
        quote = quote.replace("that is in", "which was in", 1)
    (found,) = check(f"It says “{quote}” [1].", [source(1, said)])
    assert found.supported is supported
    assert check(f"It says “{said.replace('safe', 'lost')}” [1].", [source(1, said)])[0].supported is False


def test_what_earlier_runs_wrote_is_not_checked_again() -> None:
    before, more = "Globex has 450 people [2]. Revenue rose by 5.2 %", " [1] and plants number three [2]. End [9]."
    found = check(more, SENT, before=before)
    assert [(one.n, one.supported) for one in found] == [(1, True), (2, True), (9, False)]
    whole = before + more
    assert whole[found[0].char_from : found[0].char_to].startswith("Revenue rose")
    assert whole[found[0].mark.char_from : found[0].mark.char_to] == "[1]"


PIECES = [
    "Revenue was 4.2M. [1] The next fell by 3 % [2][3]. According to [1], costs rose [1, 2]! End [1-3]\n",
    "# Heading [1]\n\n- item one [2]\n- item `a[1]` b[0] [3].\n1. first [1] and second [2].\n\n```python\nx[1]\n```\n",
    "| a | b [1] |\n|---|---|\n| 2022 | [2] |\n\n**f.pdf, page 3** [1]\n\n> line one [12]\n> two\n\n",
    "next. 文です。[1]次の文【2】。\n",
    "[1]: http://x y\n[1](http://x) link [2](u) but [3] ok.",
    " Acme Inc. [1] reported 5. Mai 2022 [2].\nSecond\nof wrapped [1].\n\n[2]\n",
    "> quoted\n> goes on [1]\n— someone\n\nIt says [3]:\n> blah\nlazy `unclosed [1] tick. Next [2]. \n    code [1]\n\n",
    "x" * 50 + " word" * 900 + " [2] end. ",
]


@pytest.mark.parametrize("seed", range(40))
def test_cuts_make_no_difference(seed: int) -> None:
    rng = random.Random(seed)
    text = "".join(piece[rng.randrange(len(piece)) * (rng.random() < 0.3) :] for piece in rng.choices(PIECES, k=4))
    noisy = list(text)
    for _ in range(rng.randrange(8)):
        noisy.insert(rng.randrange(len(noisy)), rng.choice("`[]|>\n. 1“”\0\ud800"))
    answer = "".join(noisy)
    checker = Checker(SENT)
    found: list[CitationChecked] = []
    at = 0
    while at < len(answer):
        size = rng.choice([1, 1, 2, 3, 7, 20])
        found += checker.feed(answer[at : at + size])
        at += size
    assert [*found, *checker.end()] == check(answer, SENT)


def test_a_citation_comes_as_soon_as_its_sentence_is_known_to_be_over() -> None:
    checker = Checker(SENT)
    assert checker.feed("Globex has 450 people [2]") == []
    assert checker.feed(". ") == []
    assert [one.n for one in checker.feed("The")] == [2]
    assert checker.end() == []


def test_hostile_answers_are_bounded() -> None:
    runs = ("[1]", "[", "`[1]", "` ", "[1-999] ", "]", "“[1]", "> [1]\n", "a ", "1 ", "(1.", "| ")
    for answer in (run * 2000 + "[1]" for run in runs):
        assert len(check(answer, SENT)) <= MAX_CITATIONS
    endless = check("word " * 2000 + "[1]", SENT)
    assert all(one.char_to - one.char_from <= WINDOW for one in endless)
    assert MAX_SENTENCE < WINDOW


def test_the_planted_set() -> None:
    quality, _ = planted.quality(planted.planted(tuning=False, rounds=1)[::5])
    for kind in ("figure", "number", "quote", "altered quote", "not sent"):
        assert quality.kinds[kind].share >= 0.95, kind
    assert quality.false_alarms <= 0.03
    assert quality.recall >= 0.95
