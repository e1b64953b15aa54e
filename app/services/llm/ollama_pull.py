"""Has Ollama pull a model for itself."""

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Protocol

from app.core.enums import PullState
from app.services.llm.store.base import Progress

if TYPE_CHECKING:
    from app.services.llm.ollama_sdk import OllamaSDK


class HasSDK(Protocol):
    """Opens it with the first use."""

    @property
    def sdk(self) -> "OllamaSDK": ...


class OllamaPuller:
    """Implements Puller. The bytes are those of the layer at hand: Ollama does not say how many there are."""

    def __init__(self, server: HasSDK) -> None:
        self._server = server

    async def pull(self, name: str) -> AsyncIterator[Progress]:
        """Raises UpstreamRefused for a name that Ollama's library does not have."""
        async for said in self._server.sdk.pull(name):
            verifying = said.status.startswith("verifying")
            state = PullState.VERIFYING if verifying else PullState.DOWNLOADING
            yield Progress(state, said.bytes_done, said.bytes_total or None)
