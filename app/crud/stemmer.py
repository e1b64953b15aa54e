"""Porter's stemmer for English: M. F. Porter, "An algorithm for suffix stripping", Program 14(3), 1980.

With his own later changes ("bli" -> "ble", "logi" -> "log", words of two letters stay). It gives the same stems as
SQLite's `porter` tokenizer, here in Python so that every database indexes the same terms.
"""

from functools import lru_cache
from typing import Final

VOWELS: Final = "aeiou"
STEP_2: Final = (
    ("ational", "ate"), ("tional", "tion"), ("enci", "ence"), ("anci", "ance"), ("izer", "ize"), ("bli", "ble"),
    ("alli", "al"), ("entli", "ent"), ("eli", "e"), ("ousli", "ous"), ("ization", "ize"), ("ation", "ate"),
    ("ator", "ate"), ("alism", "al"), ("iveness", "ive"), ("fulness", "ful"), ("ousness", "ous"), ("aliti", "al"),
    ("iviti", "ive"), ("biliti", "ble"), ("logi", "log"),
)  # fmt: skip
STEP_3: Final = (
    ("icate", "ic"), ("ative", ""), ("alize", "al"), ("iciti", "ic"), ("ical", "ic"), ("ful", ""), ("ness", ""),
)  # fmt: skip
STEP_4: Final = (
    "al", "ance", "ence", "er", "ic", "able", "ible", "ant", "ement", "ment", "ent", "ion", "ou", "ism", "ate", "iti",
    "ous", "ive", "ize",
)  # fmt: skip


@lru_cache(maxsize=32_768)
def stem(word: str) -> str:
    """The stem of a lower-case word. Words of under three letters, and those with other than a-z, stay as they are."""
    if len(word) < 3 or not (word.isascii() and word.isalpha()):
        return word
    word = _past_and_participle(_plural(word))
    if word.endswith("y") and "v" in _form(word[:-1]):
        word = word[:-1] + "i"
    word = _replace(_replace(word, STEP_2), STEP_3)
    return _final_letters(_residual_suffix(word))


def _form(stem: str) -> str:
    """The stem with "v" for each vowel and "c" for each consonant; y is a vowel after a consonant."""
    form = ""
    for letter in stem:
        is_vowel = letter in VOWELS or (letter == "y" and form.endswith("c"))
        form += "v" if is_vowel else "c"
    return form


def _measure(stem: str) -> int:
    """Porter's m: how often a vowel is followed by a consonant."""
    return _form(stem).count("vc")


def _is_short(stem: str) -> bool:
    """Consonant, vowel, consonant at the end, the last not w, x or y: an e was dropped, as in hop(e)."""
    return _form(stem).endswith("cvc") and stem[-1] not in "wxy"


def _plural(word: str) -> str:
    if word.endswith(("sses", "ies")):
        return word[:-2]
    return word[:-1] if word.endswith("s") and not word.endswith("ss") else word


def _past_and_participle(word: str) -> str:
    if word.endswith("eed"):
        return word[:-1] if _measure(word[:-3]) else word
    for suffix in ("ed", "ing"):
        stem = word.removesuffix(suffix)
        if stem != word:
            return _restored(stem) if "v" in _form(stem) else word
    return word


def _restored(stem: str) -> str:
    if stem.endswith(("at", "bl", "iz")):
        return stem + "e"
    if _form(stem).endswith("cc") and stem[-1] == stem[-2] and stem[-1] not in "lsz":
        return stem[:-1]
    return stem + "e" if _measure(stem) == 1 and _is_short(stem) else stem


def _replace(word: str, suffixes: tuple[tuple[str, str], ...]) -> str:
    for suffix, replacement in suffixes:
        if word.endswith(suffix):
            stem = word.removesuffix(suffix)
            return stem + replacement if _measure(stem) else word
    return word


def _residual_suffix(word: str) -> str:
    for suffix in STEP_4:
        if word.endswith(suffix):
            stem = word.removesuffix(suffix)
            fits = suffix != "ion" or stem.endswith(("s", "t"))
            return stem if fits and _measure(stem) > 1 else word
    return word


def _final_letters(word: str) -> str:
    if word.endswith("e"):
        stem = word[:-1]
        measure = _measure(stem)
        if measure > 1 or (measure == 1 and not _is_short(stem)):
            word = stem
    return word[:-1] if word.endswith("ll") and _measure(word[:-1]) > 1 else word
