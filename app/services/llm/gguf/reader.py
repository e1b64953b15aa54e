"""Reads the bytes of a GGUF header, strictly and within bounds: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final, TypeAlias

Scalar: TypeAlias = int | float | bool | str
Value: TypeAlias = Scalar | tuple[int | float | bool, ...]

MAX_KEYS: Final = 1 << 16
MAX_TENSORS: Final = 1 << 17
MAX_ITEMS: Final = 1 << 22  # of one array: the largest vocabularies have some 300,000 tokens
MAX_KEPT_ITEMS: Final = 4096
MAX_NAME_BYTES: Final = 1 << 16
MAX_STRING_BYTES: Final = 1 << 24
MAX_HEADER_BYTES: Final = 1 << 28
MAX_DIMENSIONS: Final = 4
STRING, ARRAY = 8, 9
FORMATS: Final = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
U32: Final = struct.Struct("<I")
U64: Final = struct.Struct("<Q")
# Of the types of tensors: how many bytes a block of so many values takes.
BLOCK_BYTES: Final[Mapping[int, Mapping[int, int]]] = {
    1: {0: 4, 1: 2, 24: 1, 25: 2, 26: 4, 27: 8, 28: 8, 30: 2},
    32: {2: 18, 3: 20, 6: 22, 7: 24, 8: 34, 9: 40, 20: 18, 39: 17},
    64: {40: 36},
    128: {41: 18},
    256: {10: 84, 11: 110, 12: 144, 13: 176, 14: 210, 15: 292, 16: 66, 17: 74, 18: 98, 19: 50, 21: 110, 22: 82, 23: 136}
    | {29: 56, 34: 54, 35: 66},
}
BLOCKS: Final = {kind: (values, size) for values, kinds in BLOCK_BYTES.items() for kind, size in kinds.items()}
STRANGERS: Final[Mapping[bytes, str]] = {
    b"ggml": "it is in llama.cpp's format before GGUF; get a newer conversion",
    b"tjgg": "it is in llama.cpp's format before GGUF; get a newer conversion",
    b"fmgg": "it is in llama.cpp's format before GGUF; get a newer conversion",
    b"PK\x03\x04": "it is an archive, such as PyTorch's; get the model's GGUF conversion",
    b"vers": "it is a Git LFS pointer, not the model; fetch the file itself",
    b"<!DO": "it is a web page, not the model; fetch the file itself",
    b"<htm": "it is a web page, not the model; fetch the file itself",
    b"FUGG": "it was written for big-endian machines; get the little-endian file",
}


class BadFile(Exception):
    """Not a GGUF that can be used. The message says what is wrong with it and what to do."""


@dataclass(frozen=True, slots=True)
class Contents:
    """What a header says. `arrays`: how many items each array has. `tensors`: the shape of each."""

    values: Mapping[str, Value]
    arrays: Mapping[str, int]
    tensors: Mapping[str, tuple[int, ...]]
    tensor_bytes: int
    file_bytes: int


def read(path: Path) -> Contents:
    """Costs some 100 ms for a large vocabulary: not for the event loop. Raises BadFile."""
    try:
        with path.open("rb", buffering=1 << 20) as file:
            return _Reader(file, path.stat().st_size).contents()
    except OSError as error:
        raise BadFile(f"it cannot be read: {error.strerror or error}") from None


class _Reader:
    def __init__(self, file: BinaryIO, size: int) -> None:
        self._file, self._size = file, size
        self._values: dict[str, Value] = {}
        self._arrays: dict[str, int] = {}

    def contents(self) -> Contents:
        tensor_count = self._start()
        shapes: dict[str, tuple[int, ...]] = {}
        places: list[tuple[int, int]] = []  # offset and size
        for _ in range(tensor_count):
            name, shape, offset, size = self._tensor()
            if name in shapes:
                raise BadFile(f"it is damaged: it has the tensor {name!r} twice")
            shapes[name] = shape
            places.append((offset, size))
        alignment = self._values.get("general.alignment", 32)
        if not isinstance(alignment, int) or not 0 < alignment <= 1 << 20:
            raise BadFile(f"it is damaged: its alignment is {alignment!r}")
        begin = -(-self._file.tell() // alignment) * alignment
        end = max((begin + offset + size for offset, size in places), default=begin)
        if end > self._size:
            raise BadFile(
                f"it is incomplete: it has {self._size} bytes and its tensors end at byte {end}; fetch it again"
            )
        return Contents(self._values, self._arrays, shapes, self._size - begin, self._size)

    def _start(self) -> int:
        """Magic, version and values. Gives the number of tensors."""
        magic = self._file.read(4)
        if magic != b"GGUF":
            raise BadFile(STRANGERS.get(magic, f"it is not a GGUF file: it begins with {magic!r}; fetch it again"))
        version = self._u32()
        if version not in {2, 3}:
            swapped = int.from_bytes(version.to_bytes(4, "little"), "big")
            if swapped in {1, 2, 3}:
                raise BadFile("it was written for big-endian machines; get the little-endian file")
            raise BadFile(f"it is GGUF version {version}, and 2 and 3 can be read; get another conversion")
        tensors = self._count("tensors", MAX_TENSORS)
        for _ in range(self._count("values", MAX_KEYS)):
            self._pair()
        return tensors

    def _pair(self) -> None:
        if self._file.tell() > MAX_HEADER_BYTES:
            raise BadFile(f"it is damaged: its header has more than {MAX_HEADER_BYTES >> 20} MB; fetch it again")
        key = self._string(MAX_NAME_BYTES)
        if key in self._values or key in self._arrays:
            raise BadFile(f"it is damaged: it has {key!r} twice")
        kind = self._u32()
        if kind == STRING:
            self._values[key] = self._string(MAX_STRING_BYTES)
        elif kind == ARRAY:
            self._array(key)
        else:
            self._values[key] = self._numbers(key, kind, 1)[0]

    def _array(self, key: str) -> None:
        kind = self._u32()
        count = self._count(f"items in {key!r}", MAX_ITEMS)
        self._arrays[key] = count
        if kind == STRING:
            for _ in range(count):
                self._skip(self._length(MAX_STRING_BYTES))
        elif count <= MAX_KEPT_ITEMS:
            self._values[key] = self._numbers(key, kind, count)
        else:
            self._skip(count * struct.calcsize(_format(key, kind)))

    def _tensor(self) -> tuple[str, tuple[int, ...], int, int]:
        name = self._string(MAX_NAME_BYTES)
        dimensions = self._u32()
        if dimensions > MAX_DIMENSIONS:
            raise BadFile(f"it is damaged: its tensor {name!r} has {dimensions} dimensions")
        shape = struct.unpack(f"<{dimensions}Q", self._take(8 * dimensions))
        kind, offset = self._u32(), U64.unpack(self._take(8))[0]
        count = 1
        for extent in shape:
            count *= extent
        block, size = BLOCKS.get(kind, (1, 0))  # of a type that came later, llama.cpp knows the size
        return name, shape, offset, count // block * size

    def _numbers(self, key: str, kind: int, count: int) -> tuple[int | float | bool, ...]:
        one = _format(key, kind)
        return struct.unpack(f"<{count}{one}", self._take(count * struct.calcsize(one)))

    def _count(self, what: str, limit: int) -> int:
        number: int = U64.unpack(self._take(8))[0]
        if number > limit:
            raise BadFile(f"it is damaged: it claims to have {number} {what}; fetch it again")
        return number

    def _string(self, limit: int) -> str:
        return self._take(self._length(limit)).decode("utf-8", "replace")

    def _length(self, limit: int) -> int:
        number: int = U64.unpack(self._take(8))[0]
        if number > limit:
            raise BadFile(f"it is damaged: it claims to have a name of {number} bytes; fetch it again")
        return number

    def _u32(self) -> int:
        number: int = U32.unpack(self._take(4))[0]
        return number

    def _take(self, count: int) -> bytes:
        data = self._file.read(count)
        if len(data) < count:
            raise self._cut()
        return data

    def _skip(self, count: int) -> None:
        if self._file.seek(count, 1) > self._size:
            raise self._cut()

    def _cut(self) -> BadFile:
        return BadFile(f"it is incomplete: it ends after {self._size} bytes, within its header; fetch it again")


def _format(key: str, kind: int) -> str:
    found = FORMATS.get(kind)
    if found is None:
        raise BadFile(f"it is damaged: {key!r} has the unknown type {kind}; fetch it again")
    return found
