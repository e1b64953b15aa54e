"""What a claim quotes, and whether a passage has these words."""

import re
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from itertools import pairwise
from typing import Final

from app.core.enums import Match
from app.rag.claims.languages import EMPTY
from app.rag.claims.normalised import Normalised, Span, joins
from app.rag.claims.passage import Passage, are_forms
from app.rag.claims.words import folded

QUOTE_SHARE: Final = 0.9  # of a quotation's words that must follow each other in the passage; others only small ones
SHORT_WORDS: Final = 3  # under so many words a quotation may also be a term, of which the words must be there
SHORT_CHARS: Final = 4  # the same for scripts without spaces
_MARKED: Final = re.compile(
    r"“([^“”„]{1,2000})[”“]|„([^“”„]{1,2000})[“”]|(?<![\d\w])\"([^\"\n]{1,2000})\"|«([^«»]{1,2000})»|»([^«»]{1,2000})«"
    r"|「([^「」]{1,2000})」|『([^『』]{1,2000})』|‹([^‹›]{1,2000})›|＂([^＂]{1,2000})＂"
)
_SINGLE: Final = re.compile(r"(?<!\w)[‘‚']([^‘‚\n]{8,2000}?)[’‘'](?!\w)")
_LEFT_OUT: Final = re.compile(r"\[[^\]]{0,40}\]|\(?…\)?|\(?\.\s?\.\s?\.\)?")
_WORDLIKE: Final = re.compile(r"\w")


def quotations(claim: str) -> list[str]:
    """The quoted texts of a claim, without their quotation marks."""
    found = [next(filter(None, match.groups())) for match in _MARKED.finditer(claim)]
    found += [match[1] for match in _SINGLE.finditer(_MARKED.sub(" ", claim)) if len(match[1].split()) >= SHORT_WORDS]
    return [quote for quote in found if _WORDLIKE.search(quote)]


def locate(quote: str, passage: Passage) -> tuple[Match, Span | None, float] | None:
    """How a passage has a quotation, where, and how much of it. None: it does not."""
    parts = [part.strip() for part in _LEFT_OUT.split(quote) if _WORDLIKE.search(part)]
    found = [_part(part, passage) for part in parts]
    kept = [f for f in found if f is not None]
    if not kept or len(kept) < len(found):
        return None
    worst = max((f[0] for f in kept), key=list(Match).index)
    spans = [f[1] for f in kept if f[1] is not None]
    if any(after.start < before.start for before, after in pairwise(spans)):
        worst = Match.OVERLAP
    whole = Span(min(s.start for s in spans), max(s.end for s in spans)) if spans else None
    return worst, whole, min(f[2] for f in kept)


def verbatim(text: str, passage: Passage) -> tuple[Match, Span] | None:
    """Where a passage has exactly this text, or the same but for case, spaces, hyphens, quotes and the like."""
    wanted = text.strip(" \t\n.,;:!?。")
    at = passage.body.find(wanted) if wanted else -1
    if at >= 0 and not (joins(passage.body, at) or joins(passage.body, at + len(wanted))):
        return Match.EXACT, Span(at, at + len(wanted))
    span = passage.normalised.find(Normalised(wanted))
    return None if span is None else (Match.NORMALISED, span)


def _part(part: str, passage: Passage) -> tuple[Match, Span | None, float] | None:
    found = verbatim(part, passage) or _in_head(part, passage)
    if found is not None:
        return (*found, 1.0)
    words = folded(part)
    if len(words) < SHORT_WORDS and (len(part) < SHORT_CHARS or part.isascii() or part[0] < "\u0e00"):
        return (Match.OVERLAP, None, 1.0) if words and all(passage.has(word) for word in words) else None
    return _nearly(words, passage)


def _in_head(part: str, passage: Passage) -> tuple[Match, None] | None:
    return (Match.NORMALISED, None) if passage.head_normalised.find(Normalised(part)) is not None else None


def _nearly(words: Sequence[str], passage: Passage) -> tuple[Match, Span | None, float] | None:
    """The same words one after another but for a few small ones."""
    best: tuple[float, int, int] | None = None
    for first in _windows(words, passage.words):
        share = _share(words, passage.words[first : first + len(words) + len(words) // 8 + 1])
        if share >= QUOTE_SHARE and (best is None or share > best[0]):
            best = share, first, first + len(words)
    return None if best is None else (Match.OVERLAP, None, round(best[0], 3))


def _windows(words: Sequence[str], within: Sequence[str]) -> Iterator[int]:
    """Where so many of the words stand together that they may be the quotation."""
    wanted, size = set(words), len(words)
    hits = sum(word in wanted for word in within[:size])
    tried = 0
    for first in range(max(1, len(within) - size + 1)):
        if hits >= size * 0.7:
            tried += 1
            yield first
            if tried > 50:
                return
        if first + size < len(within):
            hits += (within[first + size] in wanted) - (within[first] in wanted)


def _share(words: Sequence[str], window: Sequence[str]) -> float:
    """The share of the words that the window has in order; 0 when a word that says something is another one there."""
    matcher = SequenceMatcher(None, words, window, autojunk=False)
    blocks = [block for block in matcher.get_matching_blocks() if block.size]
    if not blocks:
        return 0
    same = sum(block.size for block in blocks)
    inside = [op for op in matcher.get_opcodes() if op[0] != "equal"]
    for kind, from_, to, there, there_to in inside:
        said, have = words[from_:to], window[there:there_to]
        if kind == "insert" and (to in {0, len(words)}):
            continue  # the window is wider than the quotation
        if (
            kind == "replace"
            and len(said) <= len(have)
            and all(are_forms(a, b) for a, b in zip(said, have, strict=False))
        ):
            same += len(said)
        elif any(not _is_small(word) for word in (*said, *(have if to not in {0, len(words)} else ()))):
            return 0
    return same / len(words)


def _is_small(word: str) -> bool:
    return word in EMPTY and word not in {
        "not",
        "no",
        "nicht",
        "kein",
        "ne",
        "pas",
        "non",
        "nao",
        "niet",
        "nie",
        "не",
        "without",
        "ohne",
    }
