"""Weights are loaded only when they are, byte for byte, the published ones."""

import hashlib
from functools import lru_cache
from pathlib import Path

from app.core.errors import ModelUnavailable


def verify(weights: Path, sha256: str) -> None:
    """Raises ModelUnavailable, which says what was found. Slow the first time: not for the event loop."""
    try:
        status = weights.stat()
        found = _sha256(weights, status.st_mtime_ns, status.st_size)
    except OSError as error:
        raise ModelUnavailable(f"The embedding model cannot be read: {error}.") from error
    if found != sha256:
        raise ModelUnavailable(
            f"The embedding model {str(weights)!r} is not the published one (its sha256 is {found}): install it again."
        )


@lru_cache(maxsize=4)
def _sha256(path: Path, mtime_ns: int, size_bytes: int) -> str:
    """Remembered for as long as the file looks the same."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
