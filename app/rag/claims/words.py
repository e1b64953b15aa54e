"""The words of a claim: which of them say something, how much each weighs, and which are names."""

import re
from collections.abc import Sequence, Set
from dataclasses import dataclass
from typing import Final

from app.crud.stemmer import stem
from app.crud.terms import MARKS, UNSPACED, fold
from app.rag.claims.figure_words import HEDGES, MAGNITUDES, MONTHS, NUMBERS, UNITS
from app.rag.claims.languages import EMPTY, IGNORED

_WORD: Final = re.compile(f"([{UNSPACED}]+)|((?:(?![{UNSPACED}])(?:[^\\W_]|[{MARKS}]))+)")
_KATAKANA: Final = re.compile("[\u30a1-\u30fa\u30fc]{3,}")
_BREAK: Final = re.compile(r"[.!?:;•|>\"“„«(\[\n—–]")
_KINDS: Final = """
table figure section chapter article part item note annex appendix page company group board committee report act
agreement state states government ministry department union federal national international mr mrs ms dr prof ceo cfo
inc ltd corp gmbh ag co llc plc sa university institute bank north south east west new monday tuesday wednesday
thursday friday saturday sunday tabelle abbildung kapitel artikel gesellschaft unternehmen i
"""
_GENERIC: Final = frozenset(map(fold, _KINDS.split()))
_SHORT_NOUN: Final = 6
NAME_FACTOR: Final = 1.5
PAIR_WEIGHT: Final = 0.6  # of two letters of a script without spaces
_PREPOSITIONS: Final = frozenset(["in", "aus", "nach", "von", "bei", "durch", "fur", "mit", "gegen"])
_NOUN_ENDINGS: Final = re.compile(r"(?:ung|ungen|heit|keit|schaft|tion|tat|nis|ismus|enz|anz|tum|ment|en|er|e|s)$")


@dataclass(frozen=True, slots=True)
class Word:
    """A word of a claim that says something. `name` counts the name that it is part of, from 1; 0: it is none."""

    said: str
    folded: str
    stem: str
    weight: float
    name: int = 0


@dataclass(frozen=True, slots=True)
class _Token:
    said: str
    folded: str
    start: int
    end: int
    first: bool  # of a sentence: a capital says nothing


def stems(text: str) -> set[str]:
    """All that a text can be asked for: stems, and pairs of letters of scripts without spaces."""
    found: set[str] = set()
    for unspaced, word in _WORD.findall(text):
        if word:
            found.add(stem(fold(word)))
        else:
            found.update(_pairs(unspaced))
    return found


def folded(text: str) -> list[str]:
    """The words of a text in their order, all of them."""
    return [fold(word or unspaced) for unspaced, word in _WORD.findall(text)]


def content(text: str, *, known: Set[str] = frozenset(), is_german: bool = False, is_title: bool = False) -> list[Word]:
    """The words that say something. `known`: words that are written with a capital within a sentence elsewhere."""
    found = [Word(pair, pair, pair, PAIR_WEIGHT) for run in _runs(text) for pair in _pairs(run)]
    tokens = _tokens(text)
    names = [0] * len(tokens) if is_title else _names(tokens, text, known, is_german=is_german)
    for token, name in zip(tokens, names, strict=True):
        if (token.folded in IGNORED and not name) or len(token.folded) < 2 or _is_of_figure(token.folded):
            continue
        weight = 1 + 0.15 * (min(len(token.folded), 11) - 3)
        found.append(Word(token.said, token.folded, stem(token.folded), weight * (NAME_FACTOR if name else 1), name))
    return found


def capitals(text: str) -> set[str]:
    """Folded words that are always written with a capital."""
    tokens = _tokens(text)
    small = {token.folded for token in tokens if not token.said[0].isupper()}
    return {token.folded for token in tokens} - small - EMPTY


def katakana(text: str) -> list[str]:
    """Names and loan words of Japanese."""
    return _KATAKANA.findall(text)


def _runs(text: str) -> list[str]:
    return [unspaced for unspaced, _ in _WORD.findall(text) if unspaced]


def _pairs(run: str) -> list[str]:
    return [run[at : at + 2] for at in range(len(run) - 1)] or [run]


def _tokens(text: str) -> list[_Token]:
    found: list[_Token] = []
    end = 0
    for match in _WORD.finditer(text):
        said = match[2]
        first = not found or _BREAK.search(text[end : match.start()]) is not None
        end = match.end()
        if said and not any(char.isdigit() for char in said):
            found.append(_Token(said, fold(said), match.start(), end, first))
    return found


def _is_of_figure(word: str) -> bool:
    """Said by the figure beside it."""
    return (
        word in MONTHS
        or word in MAGNITUDES
        or word in NUMBERS
        or word in HEDGES
        or (word in UNITS and word not in {"second", "try"})
    )


def _names(tokens: Sequence[_Token], text: str, known: Set[str], *, is_german: bool) -> list[int]:
    """For each word the number of its name."""
    found = [0] * len(tokens)
    last = 0
    for at, token in enumerate(tokens):
        before = tokens[at - 1] if at and text[tokens[at - 1].end : token.start].strip(" -&") == "" else None
        following = tokens[at + 1] if at + 1 < len(tokens) and text[token.end : tokens[at + 1].start] == " " else None
        if not _may_name(token) or _is_of_figure(token.folded):
            continue
        if _is_acronym(token.said):
            named = True
        elif is_german:
            named = _is_german_name(token, before, following)
        else:
            named = not token.first or token.folded in known or (following is not None and _may_name(following))
        if named:
            last += not (before is not None and found[at - 1])
            found[at] = last
    return found


def _may_name(token: _Token) -> bool:
    return (
        token.said[0].isupper() and token.folded not in IGNORED and token.folded not in _GENERIC and len(token.said) > 1
    )


def _is_acronym(said: str) -> bool:
    return len(said) > 1 and said.isupper()


def _is_german_name(token: _Token, before: _Token | None, following: _Token | None) -> bool:
    """Every noun has a capital there: two in a row, or one that follows a preposition without an article."""
    is_short = len(token.folded) <= _SHORT_NOUN
    if before is not None and before.said[0].isupper() and not before.first and not _is_of_figure(before.folded):
        return True
    if following is not None and _may_name(following) and not _is_of_figure(following.folded):
        return is_short or not _NOUN_ENDINGS.search(token.folded)
    after_preposition = before is not None and before.folded in _PREPOSITIONS
    return after_preposition and (is_short or not _NOUN_ENDINGS.search(token.folded))
