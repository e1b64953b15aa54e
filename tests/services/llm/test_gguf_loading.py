"""How models come into memory and leave it: one at a time, within what there is, and never longer than the service."""

import asyncio
import os
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import aclosing
from pathlib import Path

import httpx
import psutil
import pytest

from app.core.errors import ContextOverflow, ModelUnavailable, UnknownName
from app.core.model_settings import LocalSettings
from app.services.llm.base import Generation, Options, Turn
from app.services.llm.gguf.header import read_header
from app.services.llm.gguf.memory import need
from app.services.llm.gguf.plan import plan
from app.services.llm.providers.gguf import GGUF
from tests import tiny_gguf
from tests.services.llm.local_models import HELLO, answer, opened, raw
from tests.test_processes import gone

SHORT = Options(max_tokens=1)
ENDLESS = Options(others={"ignore_eos": raw(True)})


def hello(model: str | None = None, options: Options = SHORT) -> Generation:
    return Generation(HELLO, model=model, options=options)


@pytest.fixture
def processes() -> Iterator[Callable[[], list[psutil.Process]]]:
    """The models' processes that this test has started. None may outlive it."""
    before = {child.pid for child in psutil.Process().children()}

    def now() -> list[psutil.Process]:
        return [child for child in psutil.Process().children() if child.pid not in before]

    yield now
    assert now() == []


async def states(local: GGUF) -> dict[str, str]:
    return {state.name: state.state for state in await local.states()}


def entries(folder: Path) -> list[Path]:
    return list(folder.iterdir())


async def until(holds: Callable[[], bool]) -> None:
    for _ in range(2000):
        if holds():
            return
        await asyncio.sleep(0.01)
    pytest.fail("it never came true")


async def test_model_is_loaded_on_first_use_and_shown_with_what_it_needs(tiny_models: Path) -> None:
    async with opened(tiny_models) as local:
        assert set((await states(local)).values()) == {"unloaded"}
        await answer(local, hello())
        shown = {state.name: state for state in await local.states()}
        header = read_header(tiny_models / "chat.gguf")
        assert (shown["chat"].state, shown["tools"].state, shown["chat"].answers) == ("loaded", "unloaded", 0)
        assert shown["chat"].needs_bytes == need(header, plan(header, LocalSettings(local_threads=1))).total
        async with aclosing(local.stream(hello(options=ENDLESS))) as deltas:
            await anext(deltas)
            assert next(s.answers for s in await local.states() if s.name == "chat") == 1


async def test_load_and_unload(tiny_models: Path, processes: Callable[[], list[psutil.Process]]) -> None:
    async with opened(tiny_models) as local:
        assert (await local.load("embedding")).loaded
        assert (await local.load(None)).name == "chat"
        assert len(processes()) == 2
        await local.unload("embedding")
        await local.unload("embedding")
        assert [model.name for model in await local.models() if model.loaded] == ["chat"]
        await local.unload(None)
        assert processes() == []
        with pytest.raises(UnknownName, match="known: embedding"):
            await local.unload("embeddin")


async def test_many_who_ask_at_once_share_one_loading(
    tiny_models: Path, processes: Callable[[], list[psutil.Process]]
) -> None:
    async with opened(tiny_models) as local:
        requests = [hello("chat"), hello("tools")] * 4
        await asyncio.gather(*(answer(local, request) for request in requests))
        assert len(processes()) == 2


async def test_unloading_ends_the_answers(tiny_models: Path) -> None:
    async with opened(tiny_models) as local:
        async with aclosing(local.stream(hello(options=ENDLESS))) as deltas:
            await anext(deltas)
            await local.unload("chat")
            with pytest.raises(ModelUnavailable, match="'chat' cannot go on: it was unloaded; try again"):
                async for _ in deltas:
                    pass
        assert (await answer(local, hello()))[-1].finish_reason == "length"


async def test_model_that_rests_is_unloaded(tiny_models: Path, processes: Callable[[], list[psutil.Process]]) -> None:
    async with opened(tiny_models, local_idle_unload_s=0.05) as local:
        await answer(local, hello())
        await until(lambda: not processes())
        assert (await states(local))["chat"] == "unloaded"
        async with aclosing(local.stream(hello(options=ENDLESS))) as deltas:
            await anext(deltas)
            await asyncio.sleep(0.2)  # four times as long as it may rest
            assert (await states(local))["chat"] == "loaded"


async def test_model_that_does_not_fit_is_refused_with_both_figures(
    tiny_models: Path, processes: Callable[[], list[psutil.Process]]
) -> None:
    async with opened(tiny_models, local_memory_mb=64) as local:
        with pytest.raises(
            ModelUnavailable, match=r"'chat' needs about 8\d MB .* and 64 MB are free.*LOCAL_MEMORY_MB"
        ) as e:
            await answer(local, hello())
        header = read_header(tiny_models / "chat.gguf")
        needed = need(header, plan(header, LocalSettings(local_threads=1))).total
        assert e.value.details == {"needed_bytes": needed, "available_bytes": 64 << 20}
        assert processes() == []
        failed = next(state for state in await local.states() if state.name == "chat")
        assert (failed.state, failed.error) == ("failed", e.value.message)


async def test_context_that_no_memory_holds_is_refused(tmp_path: Path) -> None:
    tiny_gguf.chat(tmp_path / "long.gguf", context=1 << 30)
    async with opened(tmp_path, local_context_tokens=100_000_000, local_parallel=64) as local:
        with pytest.raises(ModelUnavailable, match=r"for 64 chats of 100000000 tokens.*lower LOCAL_CONTEXT_TOKENS"):
            await answer(local, hello())


async def test_longest_unused_model_makes_room(tiny_models: Path) -> None:
    async with opened(tiny_models, local_memory_mb=200) as local:
        for name in ("chat", "tools", "chat"):
            await answer(local, hello(name))
        await local.embed(["the cat"], model=None, dimensions=None)
        assert await states(local) == {
            "chat": "loaded",
            "tools": "unloaded",
            "embedding": "loaded",
            "rerank": "unloaded",
        }


async def test_model_in_use_makes_no_room(tiny_models: Path) -> None:
    async with opened(tiny_models, local_memory_mb=100) as local:
        async with aclosing(local.stream(hello("chat", ENDLESS))) as deltas:
            await anext(deltas)
            with pytest.raises(ModelUnavailable, match="'tools' needs about"):
                await answer(local, hello("tools"))
        await answer(local, hello("tools"))
        assert (await states(local))["chat"] == "unloaded"


async def test_process_that_dies_ends_its_answers_and_is_started_again(
    tiny_models: Path, processes: Callable[[], list[psutil.Process]]
) -> None:
    async with opened(tiny_models) as local:
        for how, why in ((signal.SIGKILL, "the memory ran out"), (signal.SIGSEGV, "ended with SIGSEGV")):
            async with aclosing(local.stream(hello(options=ENDLESS))) as deltas:
                await anext(deltas)
                processes()[0].send_signal(how)
                with pytest.raises(ModelUnavailable, match=why):
                    async for _ in deltas:
                        pass
            await until(lambda: not processes())
            failed = next(state for state in await local.states() if state.name == "chat")
            assert (failed.state, why in (failed.error or "")) == ("failed", True)
            await answer(local, hello())
            assert (await states(local))["chat"] == "loaded"


async def test_closing_ends_answers_and_processes(
    tiny_models: Path, processes: Callable[[], list[psutil.Process]]
) -> None:
    async with opened(tiny_models) as local, aclosing(local.stream(hello(options=ENDLESS))) as deltas:
        await anext(deltas)
        await local.aclose()
        assert processes() == []
        with pytest.raises(ModelUnavailable, match="the service is ending"):
            async for _ in deltas:
                pass
        with pytest.raises(ModelUnavailable, match="the service is ending"):
            await answer(local, hello())


async def test_closing_ends_a_loading_under_way(
    tiny_models: Path, processes: Callable[[], list[psutil.Process]]
) -> None:
    async with opened(tiny_models) as local:
        waiting = [asyncio.create_task(answer(local, hello(name))) for name in ("chat", "tools")]
        await until(lambda: bool(processes()))
        await local.aclose()
        assert processes() == []
        found = await asyncio.gather(*waiting, return_exceptions=True)
        assert [type(error) for error in found] == [ModelUnavailable, ModelUnavailable]


async def test_loading_goes_on_when_who_asked_has_left(
    tiny_models: Path, processes: Callable[[], list[psutil.Process]]
) -> None:
    async with opened(tiny_models) as local:
        asking = asyncio.create_task(answer(local, hello()))
        await until(lambda: bool(processes()))
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        (process,) = processes()
        await answer(local, hello())
        assert processes() == [process]


async def test_file_that_was_replaced_is_loaded_anew(tmp_path: Path) -> None:
    path = tiny_gguf.chat(tmp_path / "m.gguf", context=256)
    long = Generation([Turn("user", "hello there " * 200)], options=SHORT)
    async with opened(tmp_path) as local:
        with pytest.raises(ContextOverflow, match="'m' takes 256"):
            await answer(local, long)
        tiny_gguf.chat(path, context=1024)
        assert (await answer(local, long))[-1].finish_reason == "length"
        path.unlink()
        with pytest.raises(ModelUnavailable, match=r"there is no chat model in .*models pull.*LOCAL_MODEL_PATH"):
            await answer(local, hello())


async def test_nobody_else_can_use_the_model(
    tiny_models: Path, processes: Callable[[], list[psutil.Process]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    async with opened(tiny_models) as local:
        await answer(local, hello())
        (process,) = processes()
        assert process.net_connections(kind="inet") == []
        (folder,) = entries(tmp_path)
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        transport = httpx.AsyncHTTPTransport(uds=str(folder / "model.sock"))
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as stranger:
            for path in ("/v1/chat/completions", "/tokenize", "/completion"):
                assert (await stranger.post(path, json={"prompt": "x", "content": "x"})).status_code == 401
            assert (await stranger.get("/props")).status_code == 401
    assert entries(tmp_path) == []


async def test_no_secret_reaches_the_models_process(
    tiny_models: Path, processes: Callable[[], list[psutil.Process]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JWT_SECRET_KEY", "a secret of the service")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    async with opened(tiny_models) as local:
        await local.load("chat")
        (process,) = processes()
        seen = process.environ()
        assert "CUDA_VISIBLE_DEVICES" in seen
        assert not any("secret" in value for value in [*seen.values(), *process.cmdline()])


HOLDER = """
import asyncio, sys
from pathlib import Path
from app.core.model_settings import LocalSettings
from app.services.llm.providers.gguf import GGUF

async def main():
    local = GGUF("local", LocalSettings(local_threads=1), where=Path(sys.argv[1]))
    await local.load("chat")
    print("loaded", flush=True)
    await asyncio.sleep(600)

asyncio.run(main())
"""


def test_model_ends_with_a_service_that_is_killed(tiny_models: Path) -> None:
    root = Path(__file__).parents[3]
    command = [sys.executable, "-c", HOLDER, str(tiny_models)]
    holder = subprocess.Popen(command, stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(root)})
    assert holder.stdout is not None
    with holder.stdout:
        assert holder.stdout.readline() == b"loaded\n"
    (model,) = psutil.Process(holder.pid).children()
    holder.kill()
    holder.wait()
    assert gone([model.pid])
