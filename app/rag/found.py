"""What a search gives."""

from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Passage:
    """A chunk that was found. `score` is from 0 to 1; a rank is None where that half did not find it."""

    file_id: UUID
    file_name: str
    page_from: int
    page_to: int
    char_from: int
    char_to: int
    text: str
    score: float
    dense_rank: int | None
    text_rank: int | None
    context: str = ""
    page_label: str | None = None
    ordinal: int = 0
    cosine: float | None = None  # None: it is not among the nearest, or has no vector
    is_named: bool = False  # the question names its document
