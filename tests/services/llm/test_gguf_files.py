"""What a GGUF file says of itself, what is wrong with a bad one, and how much memory it needs."""

import struct
from pathlib import Path

import numpy as np
import pytest

from app.core.model_settings import LocalSettings
from app.services.llm.base import ModelKind
from app.services.llm.gguf.header import Header, read_header
from app.services.llm.gguf.memory import available, need
from app.services.llm.gguf.plan import cpu_batch, plan
from app.services.llm.gguf.reader import BadFile
from tests import tiny_gguf
from tests.tiny_gguf import Value

WEIGHTS = {"w": np.ones((4, 32), np.float32)}
MB = 1 << 20


def header(path: Path, values: dict[str, Value]) -> Header:
    return read_header(tiny_gguf.write(path / "model.gguf", {"general.architecture": "llama", **values}, WEIGHTS))


def test_header_of_a_chat_model(tiny_models: Path) -> None:
    found = read_header(tiny_models / "chat.gguf")
    assert (found.architecture, found.kind, found.context_tokens) == ("llama", ModelKind.CHAT, 2048)
    assert found.vocabulary > 300
    assert found.has_chat_template
    assert found.parameters * 4 == pytest.approx(found.tensor_bytes, rel=0.01)
    assert found.size_bytes == (tiny_models / "chat.gguf").stat().st_size


@pytest.mark.parametrize(
    ("architecture", "values", "tensors", "kind"),
    [
        ("llama", {}, [], ModelKind.CHAT),
        ("llama", {"pooling_type": 0}, [], ModelKind.CHAT),
        ("qwen3", {"pooling_type": 3}, [], ModelKind.EMBEDDING),
        ("qwen3", {"pooling_type": 4}, [], ModelKind.RERANK),
        ("nomic-bert", {}, [], ModelKind.EMBEDDING),
        ("bert", {"attention.causal": False}, ["cls.weight"], ModelKind.RERANK),
        ("bert", {"pooling_type": 2}, ["cls.weight"], ModelKind.EMBEDDING),
    ],
    ids=["llama", "no-pooling", "last", "rank", "nomic", "cls", "cls-pooled"],
)
def test_kind(tmp_path: Path, architecture: str, values: dict[str, Value], tensors: list[str], kind: ModelKind) -> None:
    given = {f"{architecture}.{key}": value for key, value in values.items()}
    weights = WEIGHTS | dict.fromkeys(tensors, WEIGHTS["w"])
    path = tiny_gguf.write(tmp_path / "m.gguf", {"general.architecture": architecture, **given}, weights)
    assert read_header(path).kind is kind


@pytest.mark.parametrize(
    ("begin", "said"),
    [
        (b"", "not a GGUF file"),
        (b"abcdefgh", "begins with b'abcd'"),
        (b"GGUF", "ends after 4 bytes, within its header"),
        (b"GGUF" + struct.pack(">I", 3) + bytes(100), "big-endian"),
        (b"GGUF" + struct.pack("<I", 9) + bytes(100), "GGUF version 9"),
        (b"GGUF" + struct.pack("<IQQ", 3, 1 << 60, 1), "claims to have 1152921504606846976 tensors"),
        (b"GGUF" + struct.pack("<IQQ", 3, 1, 1 << 50), "claims to have 1125899906842624 values"),
        (b"GGUF" + struct.pack("<IQQQ", 3, 1, 1, 1 << 40), "a name of 1099511627776 bytes"),
        (b"GGUF" + struct.pack("<IQQQ1sI", 3, 1, 1, 1, b"k", 77), "'k' has the unknown type 77"),
        (b"GGUF" + struct.pack("<IQQQ1sIIQ", 3, 1, 1, 1, b"k", 9, 8, 1 << 40), "items in 'k'"),
        (b"GGUF" + struct.pack("<IQQQ1sIIQ", 3, 1, 1, 1, b"k", 9, 9, 1), "unknown type 9"),
        (b"version https://git-lfs.github.com/spec/v1\n", "Git LFS pointer"),
        (b"<!DOCTYPE html>", "web page"),
        (b"PK\x03\x04 pytorch", "archive"),
        (b"tjgg" + bytes(50), "before GGUF"),
    ],
    ids=range(15),
)
def test_what_is_wrong_with_a_bad_file(tmp_path: Path, begin: bytes, said: str) -> None:
    path = tmp_path / "bad.gguf"
    path.write_bytes(begin)
    with pytest.raises(BadFile, match=said.replace("(", r"\(")):
        read_header(path)


def test_every_cut_of_a_file_is_noticed(tiny_models: Path, tmp_path: Path) -> None:
    whole = (tiny_models / "embedding.gguf").read_bytes()
    path = tmp_path / "cut.gguf"
    for size in [*range(0, 6000, 97), len(whole) // 2, len(whole) - 100]:
        path.write_bytes(whole[:size])
        with pytest.raises(BadFile, match=r"incomplete|not a GGUF"):
            read_header(path)


def test_flipped_bytes_never_raise_anything_else(tiny_models: Path, tmp_path: Path) -> None:
    whole = (tiny_models / "embedding.gguf").read_bytes()
    random = np.random.default_rng(1)
    path = tmp_path / "flipped.gguf"
    refused = 0
    for place in random.integers(0, 5000, 150):
        damaged = bytearray(whole)
        damaged[place : place + 4] = random.bytes(4)
        path.write_bytes(damaged)
        try:
            read_header(path)
        except BadFile:
            refused += 1
    assert refused > 30


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"general.type": "adapter"}, "LoRA adapter"),
        ({"general.type": "mmproj"}, "reads images"),
        ({"general.architecture": "clip"}, "reads images"),
        ({"split.count": 2}, "one of 2 parts"),
        ({"llama.block_count": 1 << 31}, "claims to have 2147483648 layers"),
    ],
    ids=["adapter", "mmproj", "clip", "part", "layers"],
)
def test_what_is_no_model_says_what_it_is(tmp_path: Path, values: dict[str, Value], said: str) -> None:
    with pytest.raises(BadFile, match=said):
        header(tmp_path, values)


def test_parts_of_a_split_model_count_together(tmp_path: Path) -> None:
    values: dict[str, Value] = {"general.architecture": "llama", "split.count": 2}
    first = tiny_gguf.write(tmp_path / "big-00001-of-00002.gguf", values, WEIGHTS)
    with pytest.raises(BadFile, match=r"its part 'big-00002-of-00002.gguf' is missing"):
        read_header(first)
    second = tiny_gguf.write(tmp_path / "big-00002-of-00002.gguf", {"split.count": 2}, {"v": WEIGHTS["w"]})
    found = read_header(first)
    assert (found.parameters, found.parts) == (256, 2)
    assert found.size_bytes == first.stat().st_size + second.stat().st_size
    second.write_bytes(second.read_bytes()[:-9])
    with pytest.raises(BadFile, match=r"'big-00002-of-00002.gguf' cannot be used: it is incomplete"):
        read_header(first)


SHAPE: dict[str, Value] = {
    "llama.context_length": 4096,
    "llama.block_count": 12,
    "llama.embedding_length": 1024,
    "llama.feed_forward_length": 4096,
    "llama.attention.head_count": 16,
    "llama.attention.head_count_kv": 4,
}


def test_cache_grows_with_layers_heads_slots_and_context(tmp_path: Path) -> None:
    found = header(tmp_path, SHAPE)
    one = need(found, plan(found, LocalSettings(local_context_tokens=1024, local_parallel=1)))
    assert one.cache == 1024 * 12 * 4 * (64 + 64) * 2
    four = need(found, plan(found, LocalSettings(local_context_tokens=2048, local_parallel=4)))
    assert four.cache == 8 * one.cache
    assert one.total == one.weights + one.cache + one.buffers


@pytest.mark.parametrize(
    ("architecture", "more"),
    [("gemma3", {}), ("llama", {"attention.sliding_window_pattern": 6})],
    ids=["by-name", "by-pattern"],
)
def test_layers_with_a_window_keep_only_that(tmp_path: Path, architecture: str, more: dict[str, Value]) -> None:
    shape = {key.replace("llama", architecture): value for key, value in SHAPE.items()}
    shape |= {f"{architecture}.{key}": value for key, value in {"attention.sliding_window": 512, **more}.items()}
    found = header(tmp_path, {**shape, "general.architecture": architecture})
    how = plan(found, LocalSettings(local_context_tokens=4096, local_parallel=1))
    assert need(found, how).cache == (2 * 4096 + 10 * (512 + how.batch)) * 4 * (64 + 64) * 2


def test_encoders_keep_nothing(tiny_models: Path) -> None:
    found = read_header(tiny_models / "embedding.gguf")
    assert need(found, plan(found, LocalSettings())).cache == 0


def test_context_is_what_was_asked_for_or_the_models_own(tmp_path: Path) -> None:
    found = header(tmp_path, SHAPE)
    assert plan(found, LocalSettings()).context_tokens == 4096
    assert plan(found, LocalSettings(local_context_tokens=1000)).context_tokens == 1000
    unknown = header(tmp_path, {key: value for key, value in SHAPE.items() if "context" not in key})
    assert plan(unknown, LocalSettings()).context_tokens == 8192


def test_batch_is_smaller_where_reading_is_slower() -> None:
    assert [cpu_batch(millions * 1_000_000, 2) for millions in (1, 25, 60, 200, 8000)] == [512, 256, 128, 64, 64]
    assert cpu_batch(200_000_000, 16) == 256


def machine(folder: Path, cgroup: str, files: dict[str, str]) -> int:
    """What is available where /proc and /sys/fs/cgroup are like this, in megabytes."""
    proc = folder / "proc"
    (proc / "self").mkdir(parents=True)
    (proc / "meminfo").write_text(f"MemTotal: {8 << 20} kB\nMemAvailable: {4 << 20} kB\n")
    (proc / "self" / "cgroup").write_text(cgroup)
    for name, content in files.items():
        (folder / "cgroup" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "cgroup" / name).write_text(content)
    return available(proc, folder / "cgroup") // MB


def test_available_is_what_the_machine_has_free(tmp_path: Path) -> None:
    assert machine(tmp_path, "0::/\n", {}) == 4096
    assert 0 < available() < 1 << 50


def test_available_is_what_control_groups_leave(tmp_path: Path) -> None:
    limits = {
        "a/memory.max": str(2048 * MB),
        "a/memory.current": str(1000 * MB),
        "a/memory.stat": f"anon 5\ninactive_file {100 * MB}\n",
        "a/b/memory.max": "max\n",
        "a/b/memory.current": str(500 * MB),
    }
    assert machine(tmp_path, "0::/a/b\n", limits) == 1148


def test_available_is_what_control_groups_of_version_1_leave(tmp_path: Path) -> None:
    limits = {
        "memory/a/memory.limit_in_bytes": str(512 * MB),
        "memory/a/memory.usage_in_bytes": str(600 * MB),
        "memory/a/memory.stat": f"inactive_file 1\ntotal_inactive_file {200 * MB}\n",
        "memory/memory.limit_in_bytes": str((1 << 63) - 4096),
        "memory/memory.usage_in_bytes": str(900 * MB),
    }
    assert machine(tmp_path, "3:cpu,cpuacct:/a\n4:memory:/a\n0::/\n", limits) == 112
