"""The data folder: one process owns it, and it has a name of its own."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from app.core.errors import DataFolderInUse, SettingsError

LET_GO_ATTEMPTS, LET_GO_PAUSE_S = 100, 0.02


def make(folder: Path) -> None:
    """Make the folder, for its owner's eyes alone, unless it is there. Raises SettingsError."""
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise _unusable(folder, error) from None


@contextmanager
def owned(folder: Path) -> Iterator[Path]:
    """Make the folder if need be and hold its lock. The kernel lets go of it when the process dies, however it dies.

    Raises DataFolderInUse when another process holds it, SettingsError when it cannot be written.
    """
    make(folder)
    try:
        lock = os.open(folder / ".lock", os.O_CREAT | os.O_RDWR, 0o600)
    except OSError as error:
        raise _unusable(folder, error) from None
    try:
        try:
            _take(lock)
            os.truncate(lock, 0)
            os.pwrite(lock, str(os.getpid()).encode(), 0)
        except BlockingIOError:
            owner = _owner(lock) or "unknown"
            raise DataFolderInUse(
                f"Another process (pid {owner}) uses the data folder {str(folder.resolve())!r}: stop it, or give this "
                "one its own DATA_DIR."
            ) from None
        except OSError as error:  # a file system without locks, or without room
            raise _unusable(folder, error) from None
        yield folder
    finally:
        os.close(lock)


def _take(lock: int) -> None:
    """Raises BlockingIOError. A killed process may have left a child that has not dropped its copy of the lock yet."""
    for _ in range(LET_GO_ATTEMPTS):
        try:
            return fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if _lives(_owner(lock)):
                raise
            time.sleep(LET_GO_PAUSE_S)
    return fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _owner(lock: int) -> str:
    return os.pread(lock, 20, 0).decode("ascii", "replace").strip()


def _lives(pid: str) -> bool:
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    except (ValueError, OSError):  # not written yet; another user's
        return True
    return True


def replica_name(folder: Path) -> str:
    """A random name that stays with the folder: rows that this folder's journal must finish carry it."""
    path = folder / "replica"
    name = path.read_text().strip() if path.exists() else ""
    if not name:
        name = uuid4().hex
        path.write_text(name)
    return name


def _unusable(folder: Path, error: OSError) -> SettingsError:
    return SettingsError(
        f"DATA_DIR={str(folder)!r} cannot be used: {error.strerror}; name a folder this user may write."
    )
