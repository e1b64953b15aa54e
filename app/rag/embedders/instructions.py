"""What a model was trained to see before a text: without it, a retrieval model finds less.

The words are those of the models' own cards. A model that is not here gets its texts as they are.
"""

from dataclasses import dataclass
from hashlib import sha256


@dataclass(frozen=True, slots=True)
class Instructions:
    """What stands before a query and before a document."""

    query: str = ""
    document: str = ""

    @property
    def mark(self) -> str:
        """Part of a fingerprint: with other instructions before them, texts have other vectors."""
        both = f"{self.query}\0{self.document}"
        return "+" + sha256(both.encode()).hexdigest()[:6] if self.query or self.document else ""


_SEARCH = "Represent this sentence for searching relevant passages: "
# A part of a model's name in lower case, the first that fits.
KNOWN = (
    ("nomic-embed", Instructions("search_query: ", "search_document: ")),
    ("embeddinggemma", Instructions("task: search result | query: ", "title: none | text: ")),
    ("qwen3-embedding", Instructions(
        "Instruct: Given a web search query, retrieve relevant passages that answer the query\nQuery:"
    )),
    ("multilingual-e5", Instructions("query: ", "passage: ")),
    ("e5-large", Instructions("query: ", "passage: ")),
    ("e5-base", Instructions("query: ", "passage: ")),
    ("e5-small", Instructions("query: ", "passage: ")),
    ("mxbai-embed-large", Instructions(_SEARCH)),
    ("arctic-embed2", Instructions("query: ")),
    ("arctic-embed-l-v2", Instructions("query: ")),
    ("arctic-embed-m-v2", Instructions("query: ")),
    ("arctic-embed", Instructions(_SEARCH)),
    ("bge-large-en", Instructions(_SEARCH)),
    ("bge-base-en", Instructions(_SEARCH)),
    ("bge-small-en", Instructions(_SEARCH)),
)  # fmt: skip


def instructions(model: str) -> Instructions:
    """For a model by its name, as whoever serves it writes it."""
    name = model.lower().replace("_", "-")
    return next((found for part, found in KNOWN if part in name), Instructions())
