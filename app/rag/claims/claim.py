"""What one group of marks in a sentence stands for, taken apart once for all its passages."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from app.rag.claims import languages, words
from app.rag.claims.figures import Figures, figures, plain
from app.rag.claims.marks import Sentence, without
from app.rag.claims.passage import Passage
from app.rag.claims.quotations import quotations
from app.rag.claims.words import Word

MIN_WORDS: Final = 3  # that say something: with fewer there is nothing to compare
_PLACE: Final = re.compile(
    r"\(?\b(?:on|auf|in|at|from|zur|sur|en|di|su)?\s*\b(?:pages?|pp?\.|S\.|Seiten?|slides?|Folien?|sheets?|páginas?|pág\.|pagin[ae]|strony?|стр\.)"
    r"\s*(\d+)(?:\s*[–-]\s*(\d+))?\)?",
    re.IGNORECASE,
)
_TITLE_SHARE: Final = 0.7
_LISTED: Final = re.compile(r"^\s*(?:\(?\d{1,2}[.)]|[-*•])\s+")


@dataclass(frozen=True, slots=True)
class Claimed:
    """`said` must be in the passages of its own marks, `tail` in those of any mark of the sentence."""

    said: str
    tail: str
    quoted: str


def claims(sentence: Sentence) -> list[Claimed]:
    """One for each group of marks: the text before it, or after it where the marks come first (`[1] says that ...`)."""
    before = [group.before for group in sentence.groups]
    tail = without(sentence.tail)
    if len(before) == 1:
        return [Claimed(f"{before[0]} {tail}", "", sentence.quoted)]
    if not _says_something(before[0]) and _says_something(tail):
        return [Claimed(text, "", sentence.quoted) for text in (*before[1:], tail)]
    found: list[Claimed] = []
    for number, text in enumerate(before):
        said = text if re.search(r"\w", text) or not found else found[-1].said
        found.append(Claimed(said, tail if number == len(before) - 1 else "", sentence.quoted))
    return found


def _says_something(text: str) -> bool:
    return bool(figures(plain(text))) or len(words.content(text)) >= MIN_WORDS - 1


class Claim:
    """A claim with its parts. Passages tell which capitals are names' and what is the name of a file."""

    def __init__(self, claimed: Claimed, passages: Sequence[Passage], sent: Sequence[Passage]) -> None:
        text = _LISTED.sub("", claimed.said)
        self.names_place = False
        for passage in passages:
            text = self._without_place(text, passage)
        self.text, self.quoted = text, claimed.quoted
        self._cited, self._sent = passages, sent
        self.tail = figures(plain(claimed.tail))

    def _without_place(self, text: str, passage: Passage) -> str:
        """Without the passage's own file and page, which are above it in the prompt."""
        source = passage.source
        bare = text.replace(source.file_name, " ")
        if len(passage.place) > 3 and not passage.place[-1].isdigit():
            bare = bare.replace(passage.place, " ")
        for found in list(_PLACE.finditer(bare)):
            first, last = int(found[1]), int(found[2] or found[1])
            if source.page_from <= first <= last <= source.page_to:
                bare = bare.replace(found[0], " ", 1)
        self.names_place = self.names_place or bare != text
        return bare

    @cached_property
    def quotes(self) -> list[str]:
        return [*([self.quoted] if self.quoted else []), *quotations(self.text)]

    @cached_property
    def figures(self) -> Figures:
        return figures(plain(self.text))

    @cached_property
    def stems(self) -> set[str]:
        return words.stems(self.text)

    @cached_property
    def words(self) -> list[Word]:
        known = (
            frozenset().union(*(passage.capitals for passage in self._sent)) if self._may_have_names else frozenset()
        )
        return words.content(self.text, known=known, is_german=self._is_german, is_title=self._is_title)

    @property
    def _is_german(self) -> bool:
        """Small words of several languages leave it to the passages."""
        most = max(self.language.values(), default=0)
        if self.language["de"] < most:
            return False
        alone = most > 0 and list(self.language.values()).count(most) == 1
        return alone or any(passage.is_german for passage in self._cited)

    @cached_property
    def language(self) -> Counter[str]:
        return languages.language(words.folded(self.text))

    @cached_property
    def script(self) -> str:
        return languages.script(self.text)

    @cached_property
    def katakana(self) -> list[str]:
        return words.katakana(self.text)

    @property
    def _may_have_names(self) -> bool:
        return any(char.isupper() for char in self.text)

    @property
    def _is_title(self) -> bool:
        """Whether Most Words Are Written Like This."""
        said = [word for word in re.findall(r"[^\W\d_]{2,}", self.text) if word.lower() not in languages.EMPTY]
        return (
            len(said) > 2 and not self.language and sum(word[0].isupper() for word in said) >= _TITLE_SHARE * len(said)
        )

    def is_foreign(self, passage: Passage) -> bool:
        """Whether words cannot be compared."""
        if self.script and passage.script and self.script != passage.script:
            return True
        return languages.differ(self.language, passage.language)
