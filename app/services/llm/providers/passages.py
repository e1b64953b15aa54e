"""No model: the answer is the best passages themselves, with their citations."""

from collections.abc import AsyncGenerator, Sequence
from typing import Final

from app.core.errors import ModelUnavailable
from app.services.llm.base import Capabilities, Delta, Embeddings, Generation, ModelInfo, PassageText, TokenUsage

SHOWN: Final = 3
UNLIMITED: Final = 1_000_000_000
EXCERPT_CHARS: Final = 700
NO_MODEL: Final = "No language model is configured, so here is what your documents say, word for word.\n\n"
NO_FILES: Final = (
    "No language model is configured, and there are no documents to answer from. Upload a file, or name a model's "
    "server with OPENAI_BASE_URL.\n"
)
NOTHING_FOUND: Final = "No language model is configured, and nothing in the searched documents matches the question.\n"


class Passages:
    """Implements Provider without a model."""

    def __init__(self) -> None:
        self.name = "passages"
        self.default_model: str | None = None
        self.capabilities = Capabilities(generates=False)

    async def models(self) -> list[ModelInfo]:
        return []

    async def context_tokens(self, model: str | None) -> int:
        return UNLIMITED

    async def stream(self, request: Generation) -> AsyncGenerator[Delta, None]:
        if not request.passages:
            yield Delta(text=NOTHING_FOUND if request.searched else NO_FILES)
        else:
            yield Delta(text=NO_MODEL)
            for passage in request.passages[:SHOWN]:
                yield Delta(text=quoted(passage))
            yield Delta(text=others(request.passages[SHOWN:]))
        yield Delta(finish_reason="stop", usage=TokenUsage(0, 0))

    async def embed(self, texts: Sequence[str], *, model: str | None, dimensions: int | None) -> Embeddings:
        raise ModelUnavailable("passages is no model and cannot embed; name another model_source")

    async def aclose(self) -> None:
        return None


def quoted(passage: PassageText) -> str:
    """The passage as a Markdown quotation that ends with its number."""
    text = passage.text if len(passage.text) <= EXCERPT_CHARS else passage.text[:EXCERPT_CHARS].rsplit(" ", 1)[0] + " …"
    lines = "\n".join(f"> {line}" for line in text.splitlines() if line.strip())
    return f"**{passage.file_name}, {passage.place}** [{passage.n}]\n\n{lines}\n\n"


def others(passages: Sequence[PassageText]) -> str:
    if not passages:
        return ""
    return "See also " + ", ".join(f"{p.file_name}, {p.place} [{p.n}]" for p in passages) + ".\n"
