"""The fault matrix as a command: one kind of server, its whole table."""

from pathlib import Path

from app.cli.bench.fault_proxy import Mode, Moment
from tests.cli.program import run
from tests.cli.test_bench import measured


def test_every_fault_ends_once_and_in_time(tmp_path: Path) -> None:
    (table,) = measured(tmp_path / "faults.json", "faults", "--providers", "ollama")
    assert [(row["moment"], row["fault"]) for row in table["rows"]] == [(m, f) for m in Moment for f in Mode]
    ends = {(row["moment"], row["fault"]): row["ends in"] for row in table["rows"]}
    for moment in Moment:
        assert ends[moment, Mode.LATENCY] == "done: stop"
        assert ends[moment, Mode.REFUSE] == "error: upstream_unavailable"
        assert ends[moment, Mode.BLACKHOLE] == "error: upstream_timeout"
    assert {row["tokens"] for row in table["rows"] if row["moment"] == Moment.MIDDLE} == {3, 12}


def test_an_unknown_kind_of_server() -> None:
    done = run("bench", "faults", "--providers", "openai,magic")
    assert done.returncode == 2
    assert "'magic' is none of openai, aihub, ollama" in done.stderr.replace("\n", " ").replace("│ ", "")
