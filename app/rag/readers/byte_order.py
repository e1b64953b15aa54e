"""Encodings that the first bytes of a text give away."""

import codecs

MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def wide_encoding(head: bytes) -> str | None:
    """The encoding of `head` when it has a byte order mark, or is UTF-16 without one; else None."""
    for mark, name in MARKS:
        if head.startswith(mark):
            return name
    half = len(head) // 2
    if half >= 2 and 0 in head:
        even, odd = head[0::2].count(0), head[1::2].count(0)
        if odd * 10 >= half * 3 and even * 20 <= odd:
            return "utf-16-le"
        if even * 10 >= half * 3 and odd * 20 <= even:
            return "utf-16-be"
    return None
