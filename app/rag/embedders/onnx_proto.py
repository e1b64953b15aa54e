"""Writes an ONNX model as protobuf bytes, for graphs that are made of a few operators.

Field numbers are those of onnx.proto3 (IR version 8, operator set 17).
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

IR_VERSION, OPSET = 8, 17
MICROSOFT = "com.microsoft"  # the fused operators of onnxruntime
FLOAT, INT32, INT64 = 1, 6, 7
_VARINT, _BYTES, _FIXED32 = 0, 2, 5
_EXTERNAL = 1
Attribute = int | float | Sequence[int]


def _varint(value: int) -> bytes:
    value &= (1 << 64) - 1
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _int(number: int, value: int) -> bytes:
    return _varint(number << 3 | _VARINT) + _varint(value)


def _bytes(number: int, value: bytes | str) -> bytes:
    data = value.encode() if isinstance(value, str) else value
    return _varint(number << 3 | _BYTES) + _varint(len(data)) + data


def _attribute(name: str, value: Attribute) -> bytes:
    if isinstance(value, float):
        return _bytes(1, name) + _varint(2 << 3 | _FIXED32) + struct.pack("<f", value) + _int(20, 1)
    if isinstance(value, int):
        return _bytes(1, name) + _int(3, value) + _int(20, 2)
    return _bytes(1, name) + b"".join(_int(8, v) for v in value) + _int(20, 7)


def _value_info(name: str, kind: int, shape: Sequence[int | str]) -> bytes:
    dims = b"".join(_bytes(1, _bytes(2, d) if isinstance(d, str) else _int(1, d)) for d in shape)
    return _bytes(1, name) + _bytes(2, _bytes(1, _int(1, kind) + _bytes(2, dims)))


@dataclass(slots=True)
class Graph:
    """A graph under construction: every method returns the name of the tensor it adds."""

    _nodes: bytearray = field(default_factory=bytearray)
    _initializers: bytearray = field(default_factory=bytearray)
    _inputs: bytearray = field(default_factory=bytearray)
    _outputs: bytearray = field(default_factory=bytearray)
    _count: int = 0

    def op(
        self, kind: str, inputs: Sequence[str], *, domain: str = "", output: str | None = None, **attributes: Attribute
    ) -> str:
        """An operator of ONNX or of another `domain`. An empty input name leaves an optional input out."""
        self._count += 1
        output = output or f"{kind}_{self._count}"
        node = b"".join(_bytes(1, name) for name in inputs) + _bytes(2, output)
        node += _bytes(3, f"n{self._count}") + _bytes(4, kind)
        node += b"".join(_bytes(5, _attribute(k, v)) for k, v in attributes.items())
        self._nodes += _bytes(1, node + (_bytes(7, domain) if domain else b""))
        return output

    def constant(self, name: str, values: NDArray[np.float32] | NDArray[np.int64]) -> str:
        kind = FLOAT if values.dtype == np.float32 else INT64
        dims = b"".join(_int(1, d) for d in values.shape)
        self._initializers += _bytes(5, dims + _int(2, kind) + _bytes(8, name) + _bytes(9, values.tobytes()))
        return name

    def external(self, name: str, shape: Sequence[int], *, location: str, offset: int, length: int) -> str:
        """A float32 tensor that stays in the file `location`, little-endian at `offset`."""
        entries = (("location", location), ("offset", str(offset)), ("length", str(length)))
        where = b"".join(_bytes(13, _bytes(1, key) + _bytes(2, value)) for key, value in entries)
        dims = b"".join(_int(1, d) for d in shape)
        self._initializers += _bytes(5, dims + _int(2, FLOAT) + _bytes(8, name) + where + _int(14, _EXTERNAL))
        return name

    def input(self, name: str, kind: int, shape: Sequence[int | str]) -> str:
        self._inputs += _bytes(11, _value_info(name, kind, shape))
        return name

    def output(self, name: str, kind: int, shape: Sequence[int | str]) -> str:
        self._outputs += _bytes(12, _value_info(name, kind, shape))
        return name

    def model(self) -> bytes:
        """The finished model."""
        graph = bytes(self._nodes) + _bytes(2, "graph") + bytes(self._initializers + self._inputs + self._outputs)
        return _int(1, IR_VERSION) + _bytes(7, graph) + self._opsets()

    @staticmethod
    def _opsets() -> bytes:
        return _bytes(8, _bytes(1, "") + _int(2, OPSET)) + _bytes(8, _bytes(1, MICROSOFT) + _int(2, 1))
