"""How a passage is named and read out: to embedder, text index, models and people; and where it is on a page."""

from app.core.errors import ValidationFailed


def spoken(context: str, text: str) -> str:
    """A passage with what belongs before it: that is embedded, indexed and shown to a model."""
    return f"{context}\n{text}" if context else text


def place(page_from: int, page_to: int, label: str | None) -> str:
    """`page 3`, `pages 3-4`, or what the page is called: a sheet, a chapter."""
    if label is not None:
        return label
    return f"page {page_from}" if page_from == page_to else f"pages {page_from}-{page_to}"


def on_page(text: str, begin: int, char_from: int | None, char_to: int | None) -> list[tuple[int, int]]:
    """What of a stretch of a file is on the page whose `text` begins at `begin` of the file, in the page's offsets.

    Nothing when neither end is given. White space at the ends is left out. Raises ValidationFailed for what is no
    stretch of text, or not on this page.
    """
    if char_from is None and char_to is None:
        return []
    if char_from is None or char_to is None or not 0 <= char_from < char_to:
        raise ValidationFailed(
            f"char_from={char_from} and char_to={char_to} are no stretch of text: give both, the first being less"
        )
    if char_from > begin + len(text) or char_to <= begin:
        raise ValidationFailed(
            f"char_from={char_from} to char_to={char_to} is not on this page, which is {begin} to {begin + len(text)}"
        )
    first, last = max(0, char_from - begin), min(len(text), char_to - begin)
    said = text[first:last]
    first += len(said) - len(said.lstrip())
    last -= len(said) - len(said.rstrip())
    return [(first, last)] if first < last else []
