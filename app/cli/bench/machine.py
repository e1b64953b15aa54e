"""CPU seconds and memory of processes, as Linux counts them."""

import time
from collections import defaultdict
from collections.abc import Mapping
from contextlib import suppress
from os import sysconf
from pathlib import Path
from typing import Final

TICK_S: Final = 1 / sysconf("SC_CLK_TCK")
CPUCLOCK_SCHED: Final = 2  # linux/include/linux/posix-timers_types.h: all threads of a process, in nanoseconds
STEPS: Final = 2_000_000
GONE: Final = (FileNotFoundError, ProcessLookupError)


def python_ns() -> float:
    """CPU nanoseconds of one step of a plain loop: how fast this machine runs Python at this moment."""
    total, before = 0, time.process_time_ns()
    for number in range(STEPS):
        total += number
    return (time.process_time_ns() - before) / STEPS


def tree(pid: int) -> list[int]:
    """A process and its living descendants."""
    found = [pid]
    for parent in found:
        with suppress(*GONE):
            for thread in Path(f"/proc/{parent}/task").iterdir():
                found += [int(child) for child in (thread / "children").read_text().split()]
    return found


def own_cpu_s(pid: int) -> float:
    """What all threads of a process have used, those that ended too; 0 when it is gone."""
    try:
        return time.clock_gettime(~pid << 3 | CPUCLOCK_SCHED)
    except OSError:
        return 0.0


def reaped_cpu_s(pid: int) -> float:
    """What the children of a process had used when it waited for them."""
    with suppress(*GONE):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[13]) + int(fields[14])) * TICK_S
    return 0.0


def tree_cpu_s(pid: int) -> float:
    return sum(own_cpu_s(process) + reaped_cpu_s(process) for process in tree(pid))


def thread_cpu_s(pid: int) -> Mapping[str, float]:
    """CPU seconds of a process's living threads by name; the first thread is `loop`."""
    used: defaultdict[str, float] = defaultdict(float)
    with suppress(*GONE):
        for thread in Path(f"/proc/{pid}/task").iterdir():
            with suppress(*GONE):
                name = "loop" if thread.name == str(pid) else (thread / "comm").read_text().strip()
                used[name] += int((thread / "schedstat").read_text().split()[0]) / 1e9
    return used


def child_running(pid: int, module: str) -> int | None:
    """The descendant that runs `python -m module`."""
    for child in tree(pid)[1:]:
        with suppress(*GONE):
            if module.encode() in Path(f"/proc/{child}/cmdline").read_bytes().split(b"\0"):
                return child
    return None


def tree_pss_mb(pid: int) -> float:
    """Proportional set size: what processes share is counted once."""
    total_kb = 0
    for process in tree(pid):
        with suppress(*GONE):
            rollup = Path(f"/proc/{process}/smaps_rollup").read_text()
            total_kb += sum(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:"))
    return total_kb / 1024
