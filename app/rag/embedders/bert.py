"""A BERT sentence encoder on onnxruntime: a folder with config.json, tokenizer.json and model.safetensors."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnxruntime
from tokenizers import Tokenizer

from app.rag.base import Vectors
from app.rag.embedders.bert_onnx import build

THREADS = 2
MAX_CHARS_PER_TOKEN = 64  # what stands beyond cannot be among the tokens that are read, in any real text


def load_tokenizer(folder: Path) -> Tokenizer:
    """The folder's tokenizer, which neither cuts nor pads."""
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


class BertEncoder:
    """Encodes on the calling thread. The lock of the interpreter is free in both of its slow steps."""

    def __init__(self, folder: Path, tokenizer: Tokenizer, *, max_tokens: int) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = THREADS, 1
        options.enable_cpu_mem_arena = False
        options.log_severity_level = 3
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.add_session_config_entry("session.model_external_initializers_file_folder_path", str(folder))
        self._session = onnxruntime.InferenceSession(build(folder), options, providers=["CPUExecutionProvider"])
        self._tokenizer, self._max_tokens = tokenizer, max_tokens

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Shape (len(texts), width), rows of length 1. A text is read up to `max_tokens` tokens."""
        limit = self._max_tokens
        # encode() would hold the interpreter's lock, encode_batch() does not.
        encodings = self._tokenizer.encode_batch([text[: limit * MAX_CHARS_PER_TOKEN] for text in texts])
        rows = [e.ids if len(e.ids) <= limit else [*e.ids[: limit - 1], e.ids[-1]] for e in encodings]
        ids = np.zeros((len(rows), max(map(len, rows))), np.int64)
        mask = np.zeros_like(ids)
        for number, row in enumerate(rows):
            ids[number, : len(row)] = row
            mask[number, : len(row)] = 1
        vectors: Vectors = self._session.run(None, {"input_ids": ids, "attention_mask": mask})[0]
        return vectors
