"""Checks the citations of an answer while it is written: what a sentence says against the passage that it names.

See `claims/judgement.py` for what is compared and the thresholds, `claims/scanner.py` for what counts as a sentence.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from app.rag.claims.claim import Claim, claims
from app.rag.claims.judgement import Verdict, judge_together
from app.rag.claims.marks import Group, Sentence
from app.rag.claims.normalised import Normalised
from app.rag.claims.passage import Passage
from app.rag.claims.scanner import Scanner
from app.schemas.chat import CitationChecked, Source, Stretch

LARGE_CHARS: Final = 50_000  # of passages, whose preparing would be felt by others on the event loop
COPIED_CHARS: Final = 24  # before a mark by which it is known to be the passage's own
MAX_CITATIONS: Final = 2000  # of one answer: a model in a loop writes no end of them
_NONE: Final[list[CitationChecked]] = []


class Checker:
    """One answer and the passages that were sent for it. The pieces' cuts make no difference.

    `before` is the part of the answer that earlier runs wrote: its marks were checked then. Places are code points in
    the whole answer. Linear in the answer's length; nothing is looked at before a closing bracket has come.
    """

    def __init__(self, sources: Sequence[Source], *, before: str = "") -> None:
        self._passages: Mapping[int, Passage] = {source.n: Passage(source) for source in sources}
        self._sources = sources
        self._scanner = Scanner()
        self._written = ""
        self._from = len(before)
        self._left = MAX_CITATIONS
        if before:
            self._scanner.feed(before)

    @property
    def is_large(self) -> bool:
        """Whether `prepare` is worth a thread."""
        return sum(len(source.text) for source in self._sources) > LARGE_CHARS

    def prepare(self) -> None:
        """Do now what the first citation of each passage would have to do."""
        for passage in self._passages.values():
            _ = passage.normalised, passage.stems, passage.numbers, passage.places, passage.script
            _ = passage.capitals, passage.counted, passage.language, passage.has("prepared-for-forms")

    def feed(self, piece: str) -> list[CitationChecked]:
        """The citations of the sentences that end with this piece of the answer."""
        sentences = self._scanner.feed(piece)
        return self._checked(sentences) if sentences else _NONE

    def end(self) -> list[CitationChecked]:
        """Those of the last sentence."""
        return self._checked(self._scanner.end())

    def _checked(self, sentences: Sequence[Sentence]) -> list[CitationChecked]:
        found = [checked for sentence in sentences for checked in self._sentence(sentence)][: self._left]
        self._left -= len(found)
        return found

    def _sentence(self, sentence: Sentence) -> Iterator[CitationChecked]:
        if sentence.end <= self._from:
            return
        for group, claimed in zip(sentence.groups, claims(sentence), strict=True):
            marks = [mark for mark in group.marks if mark.end > self._from]
            if not marks or self._is_copied(group, sentence):
                continue
            cited = [self._passages[n] for n in group.numbers if n in self._passages]
            sent = list(self._passages.values())
            verdicts: dict[int, Verdict] = {}
            if cited:
                judged = judge_together(Claim(claimed, cited, sent), cited, self._passages)
                verdicts = {passage.n: verdict for passage, verdict in zip(cited, judged, strict=True)}
            for mark in marks:
                for n in mark.numbers:
                    yield self._event(n, verdicts.get(n) or self._unsent(n), sentence, Stretch(mark.start, mark.end))

    def _is_copied(self, group: Group, sentence: Sentence) -> bool:
        """Whether a mark stands in the passage itself, whose own references look the same."""
        number = group.marks[0].numbers[0]
        before = group.before[-COPIED_CHARS:]
        if number in self._passages and not sentence.quoted:
            return False
        wanted = Normalised(f"{before}{number}")
        if len(wanted.text) < COPIED_CHARS // 3:
            return False
        return any(
            wanted.text in passage.normalised.text and re.search(rf"\[[\d,;\s–-]*\b{number}\b", passage.body)
            for passage in self._passages.values()
        )

    def _unsent(self, n: int) -> Verdict:
        sent = len(self._passages)
        said = "no passage was sent" if not sent else f"{sent} {'was' if sent == 1 else 'were'} sent"
        return Verdict(False, None, 0.0, f"there is no passage {n}; {said}")

    def _event(self, n: int, verdict: Verdict, sentence: Sentence, mark: Stretch) -> CitationChecked:
        passage = self._passages.get(n)
        quote = passage.in_file(verdict.span) if passage is not None else None
        return CitationChecked(
            n=n,
            supported=verdict.supported,
            char_from=sentence.start,
            char_to=max(sentence.end, mark.char_to),
            match=verdict.match,
            score=verdict.score,
            reason=verdict.reason,
            quote=None if quote is None else Stretch(quote.start, quote.end),
            mark=mark,
        )


def check(answer: str, sources: Sequence[Source], *, before: str = "") -> list[CitationChecked]:
    """All citations of a whole answer, which goes on from `before`."""
    checker = Checker(sources, before=before)
    return [*checker.feed(answer), *checker.end()]
