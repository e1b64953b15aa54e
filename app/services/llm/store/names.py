"""Names of model files: what a model is called, which files are parts of one, and what may be a name on this disk."""

import re
from pathlib import PurePosixPath
from typing import Final, NamedTuple

from app.core.errors import ValidationFailed

SUFFIX: Final = ".gguf"
MAX_NAME_BYTES: Final = 200  # of the 255 of most file systems: suffixes are added
PART: Final = re.compile(r"(?P<base>.+)-(?P<number>\d{5})-of-(?P<total>\d{5})")
# A quantization as llama.cpp writes it, at the end of a name: Q4_K_M, IQ3_XXS, Q8_0, BF16, MXFP4.
QUANTIZATION: Final = re.compile(r"(?:^|[-._])((?:I|T)?Q\d(?:_[A-Z0-9]+)*|BF16|F16|FP16|F32|MXFP4(?:_[A-Z]+)?)$")


class Part(NamedTuple):
    """A file's place among those of its model, counted from 1."""

    base: str
    number: int
    total: int


def is_gguf(file_name: str) -> bool:
    return file_name.lower().endswith(SUFFIX) and len(file_name) > len(SUFFIX)


def part_of(file_name: str) -> Part:
    """`x-00002-of-00003.gguf` is part 2 of 3 of `x`; any other file is part 1 of 1."""
    stem = file_name[: -len(SUFFIX)]
    found = PART.fullmatch(stem)
    return Part(found["base"], int(found["number"]), int(found["total"])) if found else Part(stem, 1, 1)


def model_name(file_name: str) -> str:
    """The file's name without `.gguf`, and without the number of its part."""
    return part_of(file_name).base


def quantization(name: str) -> str | None:
    """The quantization that a model's name ends in, in upper case."""
    found = QUANTIZATION.search(name.upper())
    return found[1] if found else None


def siblings(file_name: str) -> list[str]:
    """The names of all parts of the model that this file belongs to."""
    base, _, total = part_of(file_name)
    if not PART.fullmatch(file_name[: -len(SUFFIX)]):
        return [file_name]
    return [f"{base}-{number:05}-of-{total:05}{file_name[-len(SUFFIX) :]}" for number in range(1, total + 1)]


def local_name(path: str) -> str:
    """What a file of a source is called on this disk: the last part of its path. Raises ValidationFailed."""
    name = PurePosixPath(path).name
    wrong = (
        ".." in path.split("/")
        or "\\" in path
        or not path.isprintable()
        or name.startswith((".", "-"))
        or len(name.encode()) > MAX_NAME_BYTES
    )
    if wrong or not is_gguf(name):
        raise ValidationFailed(f"{path[:200]!r} cannot be the name of a model's file: it must be a plain name.gguf")
    return name[: -len(SUFFIX)] + SUFFIX
