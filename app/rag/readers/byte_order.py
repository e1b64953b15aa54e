"""Encodings that the first bytes of a text give away."""

import codecs
import unicodedata

MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


PRINTABLE_ENOUGH = 0.97
KANA_ENOUGH = 0.2


def wide_encoding(head: bytes) -> str | None:
    """The encoding of `head` when it has a byte order mark, or is UTF-16 or UTF-32 without one; else None."""
    for mark, name in MARKS:
        if head.startswith(mark):
            return name
    half = len(head) // 2
    if half < 2:
        return None
    if 0 not in head:
        return _kana(head)
    for name in ("utf-32-le", "utf-32-be"):
        if len(head) >= 8 and _is_words(head, name):
            return name
    even, odd = head[0::2].count(0), head[1::2].count(0)
    if odd * 10 >= half * 3 and even * 20 <= odd:
        return "utf-16-le"
    if even * 10 >= half * 3 and odd * 20 <= even:
        return "utf-16-be"
    if not (bool(odd) ^ bool(even)) or not _looks_wide(head):
        return None
    name = "utf-16-le" if odd else "utf-16-be"
    return name if _is_words(head, name) else None


def _looks_wide(head: bytes) -> bool:
    """Many bytes that no ASCII text has: two letters of one would be a Chinese character."""
    seen = [byte for byte in head if byte]
    return sum(byte >= 0x80 or (byte < 0x10 and byte not in b"\t\n\r") for byte in seen) * 5 >= len(seen)


def _kana(head: bytes) -> str | None:
    """Japanese has no zero byte in UTF-16, but a third of it begins with 0x30; ASCII with many zeros is no Japanese."""
    high = sum(byte >= 0x80 for byte in head)
    if high * 20 < len(head):
        return None
    for name, start in (("utf-16-le", 1), ("utf-16-be", 0)):
        share = head[start::2].count(0x30) * 2 / len(head)
        if share >= KANA_ENOUGH and head[1 - start :: 2].count(0x30) * 10 <= head[start::2].count(0x30) * 3:
            return name if _is_words(head, name) else None
    return None


def _is_words(head: bytes, name: str) -> bool:
    """Whether nearly all of it is letters, figures, spaces and marks, in scripts that people use."""
    text = head.decode(name, "replace").removesuffix("\ufffd")
    said = sum(letter.isalnum() or letter.isspace() or unicodedata.category(letter)[0] in "PMS" for letter in text)
    rare = sum(unicodedata.category(letter) in {"Cn", "Co", "Cs"} or letter == "\ufffd" for letter in text)
    blocks = {ord(letter) >> 8 for letter in text if not "\u2e80" <= letter <= "\ud7ff"}
    return bool(text) and said >= PRINTABLE_ENOUGH * len(text) and rare == 0 and len(blocks) <= 6
