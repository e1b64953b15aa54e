"""A set of answers with citations of which it is known whether they are true, made from invented facts.

`quality` checks them and counts. A false citation that is flagged is a hit, a true one a false alarm.
"""

import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final
from uuid import UUID

import msgspec

from app.rag.citations import check
from app.rag.planted_facts import CITIES, FACTS, FIRMS, INVENTED, QUOTED, Fact
from app.rag.planted_values import Values
from app.schemas.chat import Source

SEED: Final = 2026
PASSAGES: Final = 5
FACTS_PER_PASSAGE: Final = 3
TRUE: Final = ("verbatim", "quoted", "paraphrased", "reordered", "formats", "short", "translated", "together")
FALSE: Final = ("figure", "number", "entity", "passage", "quote", "altered quote", "not sent")


@dataclass(frozen=True, slots=True)
class Planted:
    """An answer of one sentence with one mark. `true`: the passage that it names says so."""

    kind: str
    language: str
    true: bool
    answer: str
    sources: tuple[Source, ...]


class Rate(msgspec.Struct, frozen=True):
    """How many citations of a kind there are, and how many of them were flagged as not supported."""

    citations: int
    flagged: int

    @property
    def share(self) -> float:
        return self.flagged / self.citations if self.citations else 0.0


class Quality(msgspec.Struct, frozen=True):
    """Of flagging: `precision` is the share of false ones among the flagged, `recall` of flagged among the false."""

    precision: float
    recall: float
    false_alarms: float
    kinds: dict[str, Rate]
    languages: dict[str, Rate]


@dataclass(frozen=True, slots=True)
class _Told:
    """One fact with its values."""

    fact: Fact
    values: Values


def planted(*, tuning: bool, rounds: int = 2, seed: int = SEED) -> list[Planted]:
    """The same set for the same arguments. `tuning`: of the facts that thresholds may be chosen by."""
    rng = random.Random(seed + tuning)  # noqa: S311 - a repeatable choice
    found: list[Planted] = []
    for _ in range(rounds):
        for language, facts in FACTS.items():
            half = facts[: len(facts) // 2] if tuning else facts[len(facts) // 2 :]
            found += _Library(rng, language, half).cases()
    return found


def quality(cases: Iterable[Planted]) -> tuple[Quality, list[Planted]]:
    """The figures, and the cases that were judged wrongly."""
    counted: dict[str, list[int]] = {}
    wrong = []
    for case in cases:
        flagged = any(not citation.supported for citation in check(case.answer, case.sources))
        if flagged == case.true:
            wrong.append(case)
        for key in (f"kind {case.kind}", f"language {case.language}" if case.true else "", f"true {case.true}"):
            if key:
                entry = counted.setdefault(key, [0, 0])
                entry[0] += 1
                entry[1] += flagged
    rates = {key: Rate(*entry) for key, entry in counted.items()}
    hits, alarms = rates["true False"], rates["true True"]
    return Quality(
        precision=hits.flagged / max(1, hits.flagged + alarms.flagged),
        recall=hits.share,
        false_alarms=alarms.share,
        kinds=_named(rates, "kind "),
        languages=_named(rates, "language "),
    ), wrong


def _named(rates: Mapping[str, Rate], prefix: str) -> dict[str, Rate]:
    return {key.removeprefix(prefix): rate for key, rate in rates.items() if key.startswith(prefix)}


class _Library:
    """A few passages of one language, each of several facts, and what may be said of them."""

    def __init__(self, rng: random.Random, language: str, facts: Sequence[Fact]) -> None:
        self._rng, self._language = rng, language
        firms, cities = rng.sample(FIRMS, len(FIRMS)), rng.sample(CITIES, len(CITIES))
        self._spare = firms[-1], cities[-1]
        self._passages: list[list[_Told]] = []
        for at in range(PASSAGES):
            chosen = rng.sample(facts, min(FACTS_PER_PASSAGE, len(facts)))
            self._passages.append([_Told(f, Values(rng, firms[at], cities[at])) for f in chosen])
        self._sources = tuple(self._source(n, told) for n, told in enumerate(self._passages, 1))

    def _source(self, n: int, told: Sequence[_Told]) -> Source:
        gap = "" if self._language == "ja" else " "
        text = gap.join(t.values.fill(t.fact.said, self._language) for t in told)
        return Source(n, UUID(int=n), f"report-{n}.pdf", n, n, 1000 * n, 1000 * n + len(text), text, 0.5)

    def cases(self) -> list[Planted]:
        found = []
        for n, told in enumerate(self._passages, 1):
            for one in told:
                for kind in (*TRUE, *FALSE):
                    answer = self._MAKERS[kind](self, n, one)
                    if answer is not None:
                        found.append(Planted(kind, self._language, kind in TRUE, answer, self._sources))
        return found

    def _cited(self, said: str, *numbers: int) -> str:
        """In one of the ways in which models place a mark."""
        said = said.rstrip(".。")
        marks = "".join(f"[{n}]" for n in numbers)
        stop = "。" if self._language == "ja" else "."
        return self._rng.choice([f"{said} {marks}{stop}", f"{said}{stop} {marks}", f"- {said} {marks}\n"])

    def _said(self, one: _Told, values: Values | None = None) -> str:
        return (values or one.values).fill(one.fact.said, self._language)

    def _again(self, one: _Told, values: Values | None = None, *, other: bool = False) -> str:
        return (values or one.values).fill(self._rng.choice(one.fact.again), self._language, other=other)

    def _verbatim(self, n: int, one: _Told) -> str:
        return self._cited(self._said(one), n)

    def _quoted(self, n: int, one: _Told) -> str:
        return self._cited(self._quote(self._said(one).rstrip(".。")), n)

    def _quote(self, words: str) -> str:
        return self._rng.choice(QUOTED[self._language]).format(words)

    def _paraphrased(self, n: int, one: _Told) -> str:
        return self._cited(one.values.fill(one.fact.again[0], self._language), n)

    def _reordered(self, n: int, one: _Told) -> str:
        return self._cited(one.values.fill(one.fact.again[-1], self._language), n)

    def _formats(self, n: int, one: _Told) -> str | None:
        said = one.values.fill(one.fact.again[0], self._language, other=True)
        return self._cited(said, n) if one.values.has_figures(one.fact.said) else None

    def _short(self, n: int, one: _Told) -> str | None:
        if "{firm}" not in one.fact.said:
            return None
        values = one.values.changed(firm=one.values.firm.split()[0])
        return self._cited(values.fill(one.fact.again[0], self._language), n)

    def _translated(self, n: int, one: _Told) -> str | None:
        """The same fact as another language's half says it."""
        languages = [name for name in FACTS if name != self._language]
        language = self._rng.choice(languages)
        slots = one.values.slots(one.fact.said)
        for fact in FACTS[language]:
            if one.values.slots(fact.said) == slots and one.values.has_figures(fact.said):
                return self._cited(one.values.fill(fact.again[0], language, other=True), n)
        return None

    def _together(self, n: int, one: _Told) -> str | None:
        """One sentence that needs two passages."""
        m = n % PASSAGES + 1
        other = self._passages[m - 1][0]
        link = {"en": " and ", "de": " und ", "fr": " et ", "es": " y ", "ja": "、"}[self._language]
        first = one.values.fill(one.fact.again[0], self._language)
        return self._cited(f"{first}{link}{other.values.fill(other.fact.again[0], self._language)}", n, m)

    def _figure(self, n: int, one: _Told) -> str | None:
        """One digit of one figure is another."""
        values = one.values.altered(self._rng, one.fact.said)
        return None if values is None else self._cited(self._again(one, values), n)

    def _number(self, n: int, one: _Told) -> str | None:
        """Another figure altogether, in a sentence that is copied."""
        values = one.values.replaced(self._rng, one.fact.said)
        return None if values is None else self._cited(self._said(one, values), n)

    def _entity(self, n: int, one: _Told) -> str | None:
        firm, city = self._spare
        if self._rng.random() < 0.5:
            firm = self._passages[n % PASSAGES][0].values.firm
            city = self._passages[n % PASSAGES][0].values.city
        slots = one.values.slots(one.fact.said)
        if "firm" in slots and ("city" not in slots or self._rng.random() < 0.5):
            return self._cited(self._again(one, one.values.changed(firm=firm)), n)
        return self._cited(self._again(one, one.values.changed(city=city)), n) if "city" in slots else None

    def _passage(self, n: int, one: _Told) -> str | None:
        m = (n + self._rng.randrange(1, PASSAGES) - 1) % PASSAGES + 1
        same = any(told.fact is one.fact for told in self._passages[m - 1])
        return None if same and not one.values.has_figures(one.fact.said) else self._cited(self._again(one), m)

    def _invented(self, n: int, one: _Told) -> str:
        return self._cited(self._quote(self._rng.choice(INVENTED[self._language])), n)

    def _altered_quote(self, n: int, one: _Told) -> str | None:
        """A real sentence in quotation marks, of which a stretch is made up."""
        said = self._said(one).rstrip(".。")
        words = [*said] if self._language == "ja" else said.split()
        made_up = self._rng.choice(INVENTED[self._language])
        taken = [*made_up] if self._language == "ja" else made_up.split()
        at = len(words) // 2
        gap = "" if self._language == "ja" else " "
        return self._cited(self._quote(gap.join([*words[:at], *taken[-3:], *words[at + 3 :]])), n)

    def _not_sent(self, n: int, one: _Told) -> str:
        return self._cited(self._again(one), PASSAGES + 1 + self._rng.randrange(4))

    _MAKERS: ClassVar[Mapping[str, Callable[..., str | None]]] = {
        "verbatim": _verbatim,
        "quoted": _quoted,
        "paraphrased": _paraphrased,
        "reordered": _reordered,
        "formats": _formats,
        "short": _short,
        "translated": _translated,
        "together": _together,
        "figure": _figure,
        "number": _number,
        "entity": _entity,
        "passage": _passage,
        "quote": _invented,
        "altered quote": _altered_quote,
        "not sent": _not_sent,
    }
