"""What no stored text may contain."""

import re

LINE_ENDS = re.compile("\r\n?|[\v\f\x1c-\x1e\x85\u2028\u2029]")
# PostgreSQL refuses NUL, UTF-8 has no surrogates; the rest is invisible and breaks words apart.
UNWANTED = re.compile("[\x00-\x08\x0e-\x1f\x7f\xad\u200b\ufeff\ufffe\uffff\ud800-\udfff]+")


def clean(text: str) -> str:
    """One kind of line end and space; no form feed (it joins pages), control character, NUL or lone surrogate."""
    return UNWANTED.sub("", LINE_ENDS.sub("\n", text)).replace("\xa0", " ")


def clean_label(label: str | None) -> str | None:
    """One line."""
    return " ".join(clean(label).split()) or None if label is not None else None
