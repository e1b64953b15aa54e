"""An ONNX graph for a plain BERT sentence encoder, made from its config and the header of its safetensors file.

The weights are not copied: the graph names the safetensors file as external data. Devlin et al. 2018,
arXiv 1810.04805; mean pooling after Reimers and Gurevych 2019, arXiv 1908.10084.
"""

from pathlib import Path

import msgspec
import numpy as np

from app.rag.embedders.onnx_proto import FLOAT, INT32, INT64, MICROSOFT, Graph
from app.rag.embedders.safetensors import Tensor, read_header


class Config(msgspec.Struct, frozen=True):
    """What the graph needs of a `config.json`."""

    hidden_size: int
    num_attention_heads: int
    num_hidden_layers: int
    layer_norm_eps: float


class _Bert:
    """Adds the layers of one encoder to a graph."""

    def __init__(self, config: Config, tensors: dict[str, Tensor], base: int, location: str) -> None:
        self._graph, self._config, self._tensors = Graph(), config, tensors
        self._base, self._location = base, location
        self._added: set[str] = set()
        for name, values in {"i0": [0], "i1": [1], "i2": [2], "last": [-1], "rows": [-1, config.hidden_size]}.items():
            self._graph.constant(name, np.array(values, np.int64))
        self._graph.constant("tiny", np.array(1e-9, np.float32))

    def _weight(self, name: str) -> str:
        tensor = self._tensors.get(name) or self._tensors[f"bert.{name}"]
        if tensor.dtype != "F32":
            raise ValueError(f"tensor {name!r} is {tensor.dtype}, not F32")
        if name not in self._added:
            self._added.add(name)
            start, end = tensor.data_offsets
            self._graph.external(
                name, tensor.shape, location=self._location, offset=self._base + start, length=end - start
            )
        return name

    def _linear(self, x: str, name: str) -> str:
        return self._graph.op("Gemm", [x, self._weight(f"{name}.weight"), self._weight(f"{name}.bias")], transB=1)

    def _embeddings(self) -> str:
        op = self._graph.op
        length = op("Slice", ["shape", "i1", "i2", "i0"])
        words = op("Gather", [self._weight("embeddings.word_embeddings.weight"), "input_ids"], axis=0)
        places = op("Slice", [self._weight("embeddings.position_embeddings.weight"), "i0", length, "i0"])
        types = op("Slice", [self._weight("embeddings.token_type_embeddings.weight"), "i0", "i1", "i0"])
        x, name = op("Add", [words, op("Add", [places, types])]), "embeddings.LayerNorm"
        x = op("Reshape", [x, "rows"])
        parameters = [self._weight(f"{name}.weight"), self._weight(f"{name}.bias")]
        return op("LayerNormalization", [x, *parameters], axis=-1, epsilon=self._config.layer_norm_eps)

    def _add_norm(self, x: str, residual: str, name: str) -> str:
        parameters = [self._weight(f"{name}.weight"), self._weight(f"{name}.bias")]
        epsilon = self._config.layer_norm_eps
        return self._graph.op("SkipLayerNormalization", [x, residual, *parameters], domain=MICROSOFT, epsilon=epsilon)

    def _layer(self, x: str, layer: str) -> str:
        op, attention = self._graph.op, f"{layer}.attention"
        inputs = [
            op("Reshape", [self._linear(x, f"{attention}.self.{part}"), "full_shape"])
            for part in ("query", "key", "value")
        ]
        heads = self._config.num_attention_heads
        mixed = op("MultiHeadAttention", [*inputs, "", "mask"], domain=MICROSOFT, num_heads=heads)
        mixed = self._linear(op("Reshape", [mixed, "rows"]), f"{attention}.output.dense")
        x = self._add_norm(mixed, x, f"{attention}.output.LayerNorm")
        inner = op("Gelu", [self._linear(x, f"{layer}.intermediate.dense")], domain=MICROSOFT)
        return self._add_norm(self._linear(inner, f"{layer}.output.dense"), x, f"{layer}.output.LayerNorm")

    def model(self) -> bytes:
        op = self._graph.op
        for name in ("input_ids", "attention_mask"):
            self._graph.input(name, INT64, ["batch", "tokens"])
        op("Shape", ["input_ids"], output="shape")
        op(
            "Concat",
            ["shape", self._graph.constant("width", np.array([self._config.hidden_size], np.int64))],
            axis=0,
            output="full_shape",
        )
        op("Cast", ["attention_mask"], to=INT32, output="mask")
        mask = op("Cast", ["attention_mask"], to=FLOAT)
        x = self._embeddings()
        for number in range(self._config.num_hidden_layers):
            x = self._layer(x, f"encoder.layer.{number}")
        x = op("Reshape", [x, "full_shape"])
        weights = op("Unsqueeze", [mask, "last"])
        total = op("ReduceSum", [op("Mul", [x, weights]), "i1"], keepdims=0)
        mean = op("Div", [total, op("Max", [op("ReduceSum", [weights, "i1"], keepdims=0), "tiny"])])
        norm = op("Max", [op("ReduceL2", [mean], axes=[1], keepdims=1), "tiny"])
        vectors = op("Div", [mean, norm], output="vectors")
        self._graph.output(vectors, FLOAT, ["batch", self._config.hidden_size])
        return self._graph.model()


def build(folder: Path, weights: str = "model.safetensors") -> bytes:
    """A model of about 30 KB: int64 `input_ids` and `attention_mask` (batch, tokens) -> unit `vectors` (batch, width).

    It names `weights` as external data relative to `folder`. Raises ValueError or OSError when the files do not fit.
    """
    config = msgspec.json.decode((folder / "config.json").read_bytes(), type=Config)
    tensors, base = read_header(folder / weights)
    return _Bert(config, tensors, base, weights).model()
