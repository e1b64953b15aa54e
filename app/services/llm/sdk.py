"""What is asked of a server beside the token path, through its maker's package."""

from collections.abc import Sequence
from typing import Protocol

from app.services.llm.base import Embeddings


class SDK(Protocol):
    """One server. Raises an UpstreamError for every fault."""

    async def model_names(self) -> list[str]: ...

    async def embed(self, texts: Sequence[str], model: str, dimensions: int | None) -> Embeddings: ...

    async def aclose(self) -> None: ...
