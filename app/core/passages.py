"""How a passage is named and read out: to an embedder, to the text index, to a model and to people."""


def spoken(context: str, text: str) -> str:
    """A passage with what belongs before it: that is embedded, indexed and shown to a model."""
    return f"{context}\n{text}" if context else text


def place(page_from: int, page_to: int, label: str | None) -> str:
    """`page 3`, `pages 3-4`, or what the page is called: a sheet, a chapter."""
    if label is not None:
        return label
    return f"page {page_from}" if page_from == page_to else f"pages {page_from}-{page_to}"
