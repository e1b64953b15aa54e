"""The header of a safetensors file: which tensors it holds, and where."""

import struct
from pathlib import Path

import msgspec

MAX_HEADER_BYTES = 1 << 24


class Tensor(msgspec.Struct, frozen=True):
    """One tensor. `data_offsets` count from the end of the header."""

    dtype: str
    shape: list[int]
    data_offsets: tuple[int, int]


def read_header(path: Path) -> tuple[dict[str, Tensor], int]:
    """The tensors by name, and the offset at which their data begins. Raises ValueError or OSError."""
    with path.open("rb") as file:
        (size,) = struct.unpack("<Q", file.read(8))
        if size > MAX_HEADER_BYTES:
            raise ValueError(f"{str(path)!r} claims a header of {size} bytes, more than {MAX_HEADER_BYTES}")
        entries = msgspec.json.decode(file.read(size), type=dict[str, msgspec.Raw])
    entries.pop("__metadata__", None)
    return {name: msgspec.json.decode(entry, type=Tensor) for name, entry in entries.items()}, 8 + size
