"""What a GGUF file says of its model: what it is for, how long its context is, how large it is."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from app.services.llm.base import ModelKind
from app.services.llm.gguf.reader import BadFile, Contents, read
from app.services.llm.store import names

ENCODERS: Final = ("bert", "t5encoder", "eurobert", "gemma-embedding")  # or what such a name is part of
NO_POOLING, RANK = 0, 4
MAX_LAYERS: Final = 4096


@dataclass(frozen=True, slots=True)
class Header:
    """`parameters`: how many weights. `parts`: files that the model is split into; `path` is the first."""

    path: Path
    contents: Contents
    architecture: str
    kind: ModelKind
    parameters: int
    tensor_bytes: int
    size_bytes: int
    parts: int = 1

    def number(self, key: str, default: int = 0) -> int:
        """A value of the architecture. Of one for each layer: the largest."""
        value = self.contents.values.get(f"{self.architecture}.{key}", default)
        if isinstance(value, tuple):
            value = max(value, default=default)
        return int(value) if isinstance(value, int | float) else default

    def per_layer(self, key: str) -> tuple[int, ...]:
        """A value of the architecture for each layer."""
        value = self.contents.values.get(f"{self.architecture}.{key}", 0)
        if isinstance(value, tuple):
            return tuple(int(one) for one in value)
        return (int(value) if isinstance(value, int | float) else 0,) * self.number("block_count")

    @property
    def context_tokens(self) -> int:
        """How many tokens the model was made for; 0 when it does not say."""
        return self.number("context_length")

    @property
    def embedding_length(self) -> int:
        return self.number("embedding_length")

    @property
    def vocabulary(self) -> int:
        return self.number("vocab_size") or self.contents.arrays.get("tokenizer.ggml.tokens", 0)

    @property
    def has_chat_template(self) -> bool:
        return "tokenizer.chat_template" in self.contents.values


def read_header(path: Path) -> Header:
    """Of a file, or of the first of several parts; those must be there too. Raises BadFile."""
    contents = read(path)
    architecture = contents.values.get("general.architecture")
    if not isinstance(architecture, str):
        raise BadFile("it does not say what architecture its model has; get another conversion")
    _refuse_what_is_no_model(contents, architecture)
    header = Header(
        path=path,
        contents=contents,
        architecture=architecture,
        kind=_kind(contents, architecture),
        parameters=_parameters(contents),
        tensor_bytes=contents.tensor_bytes,
        size_bytes=contents.file_bytes,
    )
    if not 0 <= header.number("block_count") <= MAX_LAYERS:
        raise BadFile(f"it is damaged: it claims to have {header.number('block_count')} layers; fetch it again")
    count = header.contents.values.get("split.count", 1)
    return _with_parts(header, count) if isinstance(count, int) and count > 1 else header


def is_later_part(path: Path) -> bool:
    """Whether it is a part of a split model, and not the first."""
    return names.part_of(path.stem + names.SUFFIX).number != 1


def model_name(path: Path) -> str:
    """The file's name without .gguf, and without the number of its part."""
    return names.model_name(path.stem + names.SUFFIX)


def _refuse_what_is_no_model(contents: Contents, architecture: str) -> None:
    what = contents.values.get("general.type", "model")
    if architecture == "clip" or what == "mmproj":
        raise BadFile("it reads images for another model and cannot answer by itself; name that model's file")
    if what == "adapter":
        raise BadFile("it is a LoRA adapter, not a whole model; merge it with its model first")
    if not contents.tensors:
        raise BadFile("it has no weights; get the whole model")


def _kind(contents: Contents, architecture: str) -> ModelKind:
    values = contents.values
    pooling = values.get(f"{architecture}.pooling_type")
    is_encoder = (
        any(name in architecture for name in ENCODERS) or values.get(f"{architecture}.attention.causal") is False
    )
    ranks = any(name.startswith("cls.") for name in contents.tensors)
    if pooling == RANK or (pooling is None and is_encoder and ranks):
        return ModelKind.RERANK
    if is_encoder or (pooling is not None and pooling != NO_POOLING):
        return ModelKind.EMBEDDING
    return ModelKind.CHAT


def _parameters(contents: Contents) -> int:
    total = 0
    for shape in contents.tensors.values():
        count = 1
        for extent in shape:
            count *= extent
        total += count
    return total


def _with_parts(header: Header, count: int) -> Header:
    first = names.part_of(header.path.stem + names.SUFFIX)
    if (first.number, first.total) != (1, count):
        raise BadFile(
            f"it is one of {count} parts: name the first, which must end in -00001-of-{count:05}.gguf, and keep the "
            "others beside it"
        )
    for sibling in names.siblings(header.path.stem + names.SUFFIX)[1:]:
        path = header.path.with_name(sibling)
        if not path.is_file():
            raise BadFile(f"its part {path.name!r} is missing; fetch it into the same folder")
        try:
            part = read(path)
        except BadFile as error:
            raise BadFile(f"its part {path.name!r} cannot be used: {error}") from None
        header = replace(
            header,
            parameters=header.parameters + _parameters(part),
            tensor_bytes=header.tensor_bytes + part.tensor_bytes,
            size_bytes=header.size_bytes + part.file_bytes,
            parts=count,
        )
    return header
