"""The search index as administrators see it."""

from datetime import datetime
from typing import Literal

from pydantic import Field

from app.schemas.base import Answer

Condition = Literal["empty", "current", "outdated", "building", "failed"]


class OneIndex(Answer):
    id: int
    fingerprint: str = Field(description="the embedder, the splitter's version, and by which settings texts are cut")


class IndexOut(Answer):
    """`target` is being built beside `current`, which is searched meanwhile."""

    state: Condition = Field(
        description="outdated: the settings ask for another index; failed: the one that was being built; see error"
    )
    current: OneIndex | None
    target: OneIndex | None
    wanted: str | None = Field(description="the fingerprint that the settings ask for; null: the embedder is silent")
    files_total: int
    files_done: int
    chunks_total: int = Field(description="while an index is being built: an estimate until every file was cut")
    chunks_done: int
    started_at: datetime | None
    error: str | None
