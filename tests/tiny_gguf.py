"""Writes tiny GGUF models with random weights, always the same ones: they answer nonsense, but answer."""

import struct
from collections.abc import Mapping
from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Value: TypeAlias = bool | int | float | str | list[str] | list[int] | list[float]
Tensors: TypeAlias = Mapping[str, npt.NDArray[np.float32]]

ALIGNMENT = 32
SPACE = "\u2581"
WORDS = [
    *("the", "and", "to", "of", "in", "is", "it", "you", "that", "he", "was", "for", "on", "are", "with", "as", "they"),
    *("be", "at", "one", "have", "this", "from", "or", "had", "by", "hot", "hat", "but", "some", "what", "there", "we"),
    *(
        "can",
        "out",
        "other",
        "were",
        "all",
        "your",
        "when",
        "up",
        "word",
        "how",
        "said",
        "hello",
        "world",
        "cat",
        "dog",
    ),
]
NORMAL, UNKNOWN, CONTROL, USER_DEFINED, BYTE = 1, 2, 3, 4, 6
SPECIAL = {
    "<unk>": UNKNOWN,
    "<s>": CONTROL,
    "</s>": CONTROL,
    "<|im_start|>": CONTROL,
    "<|im_end|>": CONTROL,
    "<tool_call>": USER_DEFINED,
    "</tool_call>": USER_DEFINED,
    "<think>": USER_DEFINED,
    "</think>": USER_DEFINED,
}
IDS = {token: number for number, token in enumerate(SPECIAL)}
CHATML = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
# Knows tools and thinking, by the tags that several families of models use.
TOOLS = (
    "{%- if tools %}<|im_start|>system\nYou may call these functions:\n<tools>"
    "{%- for tool in tools %}\n{{ tool | tojson }}{%- endfor %}\n</tools>\nAnswer a call as\n"
    '<tool_call>{"name": NAME, "arguments": OBJECT}</tool_call><|im_end|>\n{%- endif %}'
    "{%- for m in messages %}<|im_start|>{{ 'user' if m.role == 'tool' else m.role }}\n"
    "{%- if m.reasoning_content %}<think>\n{{ m.reasoning_content }}\n</think>\n\n{%- endif %}"
    "{%- if m.content %}{{ m.content }}{%- endif %}{%- for call in m.tool_calls or [] %}"
    '<tool_call>{"name": "{{ call.function.name }}", "arguments": {{ call.function.arguments | tojson }}}</tool_call>'
    "{%- endfor %}<|im_end|>\n{%- endfor %}"
    "{%- if add_generation_prompt %}<|im_start|>assistant\n{%- if thinks %}<think>\n{%- endif %}{%- endif %}"
)


def byte_token(byte: int) -> int:
    """The token that writes this byte and nothing else."""
    return len(SPECIAL) + byte


def write(path: Path, values: Mapping[str, Value], tensors: Tensors) -> Path:
    """A GGUF file of version 3."""
    offsets, end = [], 0
    for tensor in tensors.values():
        offsets.append(end)
        end += -(-tensor.nbytes // ALIGNMENT) * ALIGNMENT
    infos = [
        _string(name) + struct.pack(f"<I{tensor.ndim}QIQ", tensor.ndim, *reversed(tensor.shape), 0, offset)
        for (name, tensor), offset in zip(tensors.items(), offsets, strict=True)
    ]
    pairs = [_string(key) + _value(value) for key, value in values.items()]
    head = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(values)) + b"".join(pairs + infos)
    with path.open("wb") as file:
        file.write(_padded(head))
        for tensor in tensors.values():
            file.write(_padded(np.ascontiguousarray(tensor, "<f4").tobytes()))
    return path


def chat(
    path: Path,
    *,
    template: str | None = CHATML,
    context: int = 2048,
    width: int = 64,
    layers: int = 2,
    seed: int = 1,
) -> Path:
    """A llama with a tokenizer that knows every byte."""
    heads, kv_heads, inner = width // 16, width // 32, 2 * width
    tokens, types, scores = _vocabulary()
    values: dict[str, Value] = {
        "general.architecture": "llama",
        "llama.context_length": context,
        "llama.embedding_length": width,
        "llama.block_count": layers,
        "llama.feed_forward_length": inner,
        "llama.attention.head_count": heads,
        "llama.attention.head_count_kv": kv_heads,
        "llama.attention.layer_norm_rms_epsilon": 1e-5,
        "llama.rope.dimension_count": 16,
        "tokenizer.ggml.model": "llama",
        "tokenizer.ggml.tokens": tokens,
        "tokenizer.ggml.scores": scores,
        "tokenizer.ggml.token_type": types,
        "tokenizer.ggml.bos_token_id": IDS["<s>"],
        "tokenizer.ggml.eos_token_id": IDS["<|im_end|>"],
        "tokenizer.ggml.unknown_token_id": IDS["<unk>"],
        "tokenizer.ggml.add_space_prefix": False,
    }
    if template is not None:
        values["tokenizer.chat_template"] = template
    some = _Random(seed, 0.08)
    tensors = {"token_embd.weight": some(len(tokens), width) * 5}
    for layer in range(layers):
        block = f"blk.{layer}."
        tensors |= {block + f"{name}_norm.weight": np.ones(width, np.float32) for name in ("attn", "ffn")}
        tensors |= {block + f"attn_{name}.weight": some(width, width) for name in ("q", "output")}
        tensors |= {block + f"attn_{name}.weight": some(kv_heads * 16, width) for name in ("k", "v")}
        tensors |= {block + f"ffn_{name}.weight": some(inner, width) for name in ("gate", "up")}
        tensors[block + "ffn_down.weight"] = some(width, inner)
    tensors |= {"output_norm.weight": np.ones(width, np.float32), "output.weight": some(len(tokens), width)}
    return write(path, values, tensors)


def embedding(path: Path, *, context: int = 128) -> Path:
    """A BERT whose vectors have 64 dimensions."""
    return _bert(path, 1, context, {})


def rerank(path: Path, *, context: int = 128) -> Path:
    """A BERT with one score at its end."""
    some = _Random(9, 0.15)
    head = {"cls.weight": some(64, 64), "cls.output.weight": some(1, 64)}
    biases = {"cls.bias": np.zeros(64, np.float32), "cls.output.bias": np.zeros(1, np.float32)}
    return _bert(path, 4, context, head | biases)


def _bert(path: Path, pooling: int, context: int, extra: Tensors) -> Path:
    width, inner, layers = 64, 128, 2
    letters = "abcdefghijklmnopqrstuvwxyz0123456789.,!?-'"
    marks = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    tokens = list(dict.fromkeys(marks + [SPACE + word for word in (*letters, *WORDS)] + list(letters)))
    values: dict[str, Value] = {
        "general.architecture": "bert",
        "bert.context_length": context,
        "bert.embedding_length": width,
        "bert.block_count": layers,
        "bert.feed_forward_length": inner,
        "bert.attention.head_count": 4,
        "bert.attention.layer_norm_epsilon": 1e-12,
        "bert.attention.causal": False,
        "bert.pooling_type": pooling,
        "tokenizer.ggml.model": "bert",
        "tokenizer.ggml.pre": "jina-v2-en",
        "tokenizer.ggml.tokens": tokens,
        "tokenizer.ggml.token_type": [CONTROL] * len(marks) + [NORMAL] * (len(tokens) - len(marks)),
        "tokenizer.ggml.token_type_count": 2,
        "tokenizer.ggml.bos_token_id": 2,
        "tokenizer.ggml.seperator_token_id": 3,  # as llama.cpp spells it
        "tokenizer.ggml.padding_token_id": 0,
        "tokenizer.ggml.unknown_token_id": 1,
    }
    some, zeros, ones = _Random(3, 0.15), np.zeros, np.ones(width, np.float32)
    none = zeros(width, np.float32)
    tensors = {"token_embd.weight": some(len(tokens), width), "token_types.weight": some(2, width)}
    tensors |= {"position_embd.weight": some(context, width)}
    tensors |= {"token_embd_norm.weight": ones, "token_embd_norm.bias": none}
    for layer in range(layers):
        block = f"blk.{layer}."
        for name in ("attn_q", "attn_k", "attn_v", "attn_output"):
            tensors |= {f"{block}{name}.weight": some(width, width), f"{block}{name}.bias": none}
        for name in ("attn_output_norm", "layer_output_norm"):
            tensors |= {f"{block}{name}.weight": ones, f"{block}{name}.bias": none}
        tensors |= {block + "ffn_up.weight": some(inner, width), block + "ffn_up.bias": zeros(inner, np.float32)}
        tensors |= {block + "ffn_down.weight": some(width, inner), block + "ffn_down.bias": none}
    return write(path, values, {**tensors, **extra})


def _vocabulary() -> tuple[list[str], list[int], list[float]]:
    """Special tokens, all bytes, and words with each of their beginnings: a word is built by merging two tokens."""
    whole = [SPACE, *map(chr, range(33, 127)), *(SPACE + word for word in WORDS), *WORDS]
    words = list(dict.fromkeys(word[:end] for word in whole for end in range(1, len(word) + 1)))
    words = [word for word in words if word not in SPECIAL]
    tokens = [*SPECIAL, *(f"<0x{byte:02X}>" for byte in range(256)), *words]
    types = [*SPECIAL.values(), *[BYTE] * 256, *[NORMAL] * len(words)]
    scores = [0.0] * (len(SPECIAL) + 256) + [-1000.0 if len(word) == 1 else -float(len(word)) for word in words]
    return tokens, types, scores


class _Random:
    """Float32 arrays of any shape, normally distributed."""

    def __init__(self, seed: int, scale: float) -> None:
        self._generator, self._scale = np.random.default_rng(seed), scale

    def __call__(self, *shape: int) -> npt.NDArray[np.float32]:
        return (self._generator.standard_normal(shape) * self._scale).astype(np.float32)


def _value(value: Value) -> bytes:
    if isinstance(value, list):
        kind = 5 if isinstance(value[0], int) else _kind(value[0])  # llama.cpp wants signed numbers in arrays
        return struct.pack("<IIQ", 9, kind, len(value)) + b"".join(_bare(one) for one in value)
    return struct.pack("<I", _kind(value)) + _bare(value)


def _kind(value: Value) -> int:
    return next(kind for type_, kind in ((bool, 7), (int, 4), (float, 6), (str, 8)) if isinstance(value, type_))


def _bare(value: Value) -> bytes:
    match value:
        case str():
            return _string(value)
        case bool():
            return struct.pack("<?", value)
        case int():
            return struct.pack("<I", value)
        case _:
            return struct.pack("<f", value)


def _string(text: str) -> bytes:
    data = text.encode()
    return struct.pack("<Q", len(data)) + data


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % ALIGNMENT)
