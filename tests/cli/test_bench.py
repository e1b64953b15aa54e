"""The benchmarks, small, and the load's own count of what goes wrong."""

import asyncio
import json
from asyncio import StreamReader, StreamWriter
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from app.cli.bench import app as bench
from app.cli.bench import documents
from app.cli.bench.load import Address, Tally, run_streams
from tests import tiny_gguf
from tests.cli.program import run

HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


def measured(path: Path, *arguments: str | Path, **settings: str) -> list[dict[str, Any]]:
    """The tables of a run, by their JSON."""
    done = run("bench", *arguments, "--json", path, **settings)
    assert done.returncode == 0, done.stdout + done.stderr
    tables: list[dict[str, Any]] = json.loads(path.read_text())["tables"]
    for table in tables:
        assert table["title"] in done.stdout
        assert table["faults"] == []
    return tables


def figures(table: dict[str, Any]) -> dict[str, float]:
    return {row["figure"]: row["value"] for row in table["rows"]}


async def counted(*parts: bytes, want: int) -> Tally:
    """What the load makes of an answer that comes in these chunks."""

    async def answer(reader: StreamReader, writer: StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(HEAD)
        for part in parts:
            writer.write(b"%x\r\n%b\r\n" % (len(part), part))
            await writer.drain()
            await asyncio.sleep(0)
        writer.write(b"0\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        address = Address("127.0.0.1", server.sockets[0].getsockname()[1])
        return await run_streams(address, [address.request("GET", "/")], want=want, timeout_s=10)


def frame(*indices: int) -> bytes:
    return b"".join(b'id: 1\nevent: delta\ndata: {"text":"%d@1f "}\n\n' % index for index in indices)


def test_wires_are_read_whole(tmp_path: Path) -> None:
    (table,) = measured(tmp_path / "wire.json", "wire", "--streams", "1,4", "--tokens", "50")
    assert [(row["wire"], row["streams"], row["lost"]) for row in table["rows"]] == [
        (name, count, 0) for name in ("openai", "ollama") for count in (1, 4)
    ]


async def test_whole_answer_has_no_faults() -> None:
    whole = frame(*range(5))
    tally = await counted(whole[:40], whole[40:91], whole[91:], want=5)
    assert (tally.tokens, tally.faults()) == (5, [])


async def test_lost_doubled_and_disordered_tokens_are_counted() -> None:
    tally = await counted(frame(0, 1, 1), frame(3, 4), want=6)
    assert tally.faults() == ["2 tokens lost", "1 tokens doubled", "1 tokens out of order"]


async def test_error_in_the_stream_is_a_failure() -> None:
    tally = await counted(frame(0), b'event: error\ndata: {"code":"internal"}\n\n', want=1)
    assert len(tally.failures) == 1
    assert "internal" in tally.faults()[0]


async def test_server_that_is_not_there_is_a_failure() -> None:
    tally = await run_streams(Address("127.0.0.1", 9), [b"GET / HTTP/1.1\r\n\r\n"], want=3, timeout_s=10)
    assert (tally.lost, len(tally.failures)) == (3, 1)


def test_generated_documents_are_the_same_each_time() -> None:
    assert documents.pdf(3, seed=1) == documents.pdf(3, seed=1) != documents.pdf(3, seed=2)
    assert 10_000 <= len(documents.text(10_000, seed=1)) < 11_000


def test_relay_counts_tokens_and_their_cost(tmp_path: Path) -> None:
    streams, around = measured(
        tmp_path / "found.json", "relay", "--streams", "1,3", "--tokens", "5", "--fast-tokens", "20"
    )
    assert [(row["streams"], row["ms/token"]) for row in streams["rows"]] == [(1, 20), (3, 20), (1, 0), (3, 0)]
    for row in streams["rows"]:
        assert row["python ns"] > 0
        assert row["CPU s"] > 0
        assert row["lost"] == row["doubled"] == row["disordered"] == row["failed"] == 0
    assert figures(around)["failed of 256 at once"] == 0
    assert figures(around)["CPU per one-token chat, 256 at once"] > 0
    assert figures(around)["conversation lists over 32 connections"] > 0


def test_ingest_tells_apart_where_the_time_goes(tmp_path: Path) -> None:
    cpu, speed = measured(tmp_path / "found.json", "ingest", "--documents", "pdf-3", "--streams", "2")
    spent = cpu["rows"][0]
    parts = [spent[name] for name in ("event loop", "embedding", "other threads", "parser", "vectors")]
    assert spent["document"] == "3-page PDF"
    assert spent["embedding"] > 0
    assert spent["parser"] > 0
    assert spent["CPU s"] == pytest.approx(sum(parts))
    assert spent["without embedding"] == pytest.approx(spent["CPU s"] - spent["embedding"])
    assert speed["rows"][0]["chunks"] >= 9
    assert speed["rows"][0]["pages/s"] > 0


def test_start_weighs_the_service_before_and_after_its_first_document(tmp_path: Path) -> None:
    found = figures(measured(tmp_path / "found.json", "start", "--again", "1")[0])
    assert found["first start, on a new data folder: CPU"] > 0
    assert found["next starts, median of 1: to the first healthy answer"] > 0
    before = found["memory before the first document (1 processes, PSS)"]
    assert 0 < before < found["memory with embeddings and vectors in use (PSS), peak"]


def test_gguf_is_compared_with_xllamacpp_itself(tmp_path: Path) -> None:
    model = tiny_gguf.chat(tmp_path / "m.gguf")
    arguments = ("gguf", model, "--tokens", "20", "--rounds", "1")
    speed, felt, memory = measured(tmp_path / "found.json", *arguments, LOCAL_THREADS="1")
    assert [(row["what"], row["chats"]) for row in speed["rows"][:2]] == [("answers, tokens/s", n) for n in (1, 4)]
    for row in speed["rows"][:3]:
        assert row["ratio"] == pytest.approx(row["provider"] / row["direct"], rel=0.01)
        assert row["direct CPU ms/token"] > 0
        assert row["provider CPU ms/token"] > 0
    assert [row["phase"] for row in felt["rows"]] == ["loading", "reading a long prompt", "4 answers", "unloading"]
    assert all(row["lag max ms"] > 0 for row in felt["rows"])
    before, loaded, unloaded = (row["MB"] for row in memory["rows"])
    assert before < loaded > unloaded


def test_gguf_that_is_none_cannot_be_measured(tmp_path: Path) -> None:
    path = tmp_path / "m.gguf"
    path.write_bytes(b"not a model")
    done = run("bench", "gguf", path)
    assert (done.returncode, "it is not a GGUF file" in done.stderr) == (1, True)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["gguf", "nowhere.gguf"], "does not exist"),
        (["relay", "--streams", "1,many"], "'1,many' is not a list of numbers"),
        (["ingest", "--documents", "odt-3"], "'odt-3' is not a list"),
        (["start", "--again", "0"], "greater than or equal to 1"),
    ],
)
def test_bad_usage_is_refused(arguments: list[str], complaint: str) -> None:
    done = CliRunner().invoke(bench, arguments, env={"COLUMNS": "120", "NO_COLOR": "1"})
    assert done.exit_code == 2
    assert complaint in done.stderr


def test_a_file_is_whole_after_kills(tmp_path: Path) -> None:
    steps, files = measured(tmp_path / "kills.json", "kills", "--number", "1")
    assert [(row["step"], row["kills"]) for row in steps["rows"]] == [("parsing", 1)]
    (file,) = files["rows"]
    assert (file["status"], file["pages"]) == ("ready", 20)
    assert len({file[what] for what in ("passages", "rows", "distinct", "indexed", "vectors")}) == 1
