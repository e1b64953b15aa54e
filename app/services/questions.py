"""Which questions lean on the ones before, and what to search for then when no model can say it in full.

The rules are cheap and look at words alone, in several languages. A question that they take wrongly for a follow-up is
searched with a few words too many; one that they miss is searched as it stands.
"""

import re
from collections.abc import Sequence
from typing import Final

from app.crud.terms import fold, words
from app.rag.function_words import EMPTY, POINTS_BACK, POINTS_MAYBE

MAX_WORDS: Final = 14  # a longer question says what it is about
MAX_SUBJECT: Final = 3  # words about a subject, beside one that points back
MAX_CHARS_UNSPACED: Final = 14
MAX_BACK: Final = 3  # questions that a chain of follow-ups may go back
MAX_TERMS_CHARS: Final = 600
YEAR: Final = re.compile(r"\b(?:1[5-9]|20)\d\d\b")

# Words that go on with something when a question begins with them, in English, German, French, Spanish, Italian,
# Portuguese, Dutch, Polish, Russian. "a", "e", "i", "y", "o" and "en" are words of another kind elsewhere: see SHORT.
BEGINS: Final = frozenset(
    fold(
        "and or but also then so und oder aber sondern dann et ou mais donc alors y pero entonces oppure ma anche"
        " allora mas então maar dus ook oraz ale czyli więc а и но или тогда"
    ).split()
)
BEGINS_SHORT: Final = frozenset(fold("e o i en a").split())
SHORT_WORDS: Final = 5
OPENINGS: Final = tuple(
    fold(opening)
    for opening in (
        *("what about", "how about", "what else", "tell me more", "go on", "why is that", "how so", "any other"),
        *("was ist mit", "wie steht es", "wie sieht es", "was noch", "erzähl mehr", "und was", "noch mehr"),
        *("qu'en est-il", "et pour", "quoi d'autre", "y qué", "qué tal", "qué más", "che dire", "e quanto"),
        *("e quanto", "e quais", "hoe zit het", "wat nog", "a co z", "co z", "а как", "а что"),
        *(
            "那",
            "还有",
            "那么",
            "为什么",
            "它",
            "他",
            "她",
            "这个",
            "那个",
            "では",
            "それ",
            "これ",
            "その",
            "なぜ",
            "그럼",
            "그것",
            "왜",
        ),
    )
)


def is_follow_up(question: str) -> bool:
    """Whether a question that is not the first one seems to go on with an earlier one."""
    folded = fold(" ".join(question.split()))
    said = words(question)
    if not said:
        return True
    if folded.startswith(OPENINGS) and _is_short(folded, said):
        return True
    if said[0] in BEGINS or (said[0] in BEGINS_SHORT and len(said) <= SHORT_WORDS):
        return True
    if len(said) > MAX_WORDS:
        return False
    subject = [word for word in said if word not in EMPTY and word not in POINTS_BACK and not word.isdigit()]
    if not subject:
        return True
    if any(word in POINTS_BACK for word in said):
        return len(subject) <= MAX_SUBJECT
    return said[-1] in POINTS_MAYBE or (len(subject) == 1 and any(word in POINTS_MAYBE for word in said[1:]))


def _is_short(folded: str, said: Sequence[str]) -> bool:
    return len(said) <= MAX_WORDS if " " in folded or folded.isascii() else len(folded) <= MAX_CHARS_UNSPACED


def with_terms(question: str, earlier: Sequence[str]) -> str:
    """The question after those that it goes on with: the newest of `earlier` back to one that stands for itself.

    A year in the question replaces those of the earlier ones.
    """
    before: list[str] = []
    for other in reversed(earlier[-MAX_BACK:]):
        before.insert(0, other)
        if not is_follow_up(other):
            break
    said = " ".join(" ".join(before).split())[-MAX_TERMS_CHARS:]
    if YEAR.search(question):
        said = YEAR.sub("", said)
    return " ".join(f"{said} {question}".split())
