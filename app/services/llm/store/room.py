"""Room for a model: on the disk, and within MODEL_CACHE_MB, for which models unused for longest are removed."""

from collections.abc import Mapping
from typing import Final

from app.core.errors import Conflict, StorageFull
from app.services.llm.store import locks
from app.services.llm.store.base import ModelFile
from app.services.llm.store.folder import ModelFolder

HEADROOM_BYTES: Final = 1 << 30  # for rows, journal and uploads on the same disk


def make_room(
    folder: ModelFolder, name: str, *, size_bytes: int, missing_bytes: int, limit_bytes: int, others: Mapping[str, int]
) -> list[str]:
    """Remove what has to go so that model `name` fits; returns the removed names. Blocking.

    `missing_bytes` are still to be written, `others` are the sizes of other models on their way. Only pulled models
    count for the limit (0: none) and only those that nobody uses are removed. Raises StorageFull with both figures,
    before anything is removed.
    """
    pulled = [model for model in folder.files() if model.origin is not None and model.name != name]
    victims = _victims(folder, pulled, size_bytes + sum(others.values()), limit_bytes) if limit_bytes else []
    freed = sum(model.size_bytes for model in victims)
    needed = missing_bytes + sum(others.values()) + HEADROOM_BYTES
    free = folder.free_bytes() + freed
    if missing_bytes and needed > free:
        raise StorageFull(
            f"model {name!r} needs {megabytes(missing_bytes)} more and {megabytes(needed - missing_bytes)} are kept "
            f"free, but the disk of {str(folder.path)!r} has {megabytes(free)}; remove files first",
            details={"needed_bytes": needed, "free_bytes": free},
        )
    return [model.name for model in victims if _removed(folder, model)]


def _victims(folder: ModelFolder, pulled: list[ModelFile], coming: int, limit: int) -> list[ModelFile]:
    used = sum(model.size_bytes for model in pulled)
    victims: list[ModelFile] = []
    for model in sorted(pulled, key=folder.last_used):
        if used + coming <= limit:
            return victims
        if model.name not in folder.pinned and not locks.in_use(model.path):
            victims.append(model)
            used -= model.size_bytes
    if used + coming <= limit:
        return victims
    raise StorageFull(
        f"{megabytes(coming)} are to be pulled and {megabytes(used)} cannot be removed, which is more than "
        f"MODEL_CACHE_MB={limit >> 20} allows; raise it, or unload models",
        details={"needed_bytes": coming + used, "limit_bytes": limit},
    )


def _removed(folder: ModelFolder, model: ModelFile) -> bool:
    try:
        folder.unlink(model.name)
    except Conflict:  # somebody has begun to use it
        return False
    return True


def megabytes(size_bytes: int) -> str:
    """In the units of disks and of the hub: 1 MB is a million bytes."""
    if size_bytes >= 1e9:
        return f"{size_bytes / 1e9:,.1f} GB"
    return f"{size_bytes / 1e6:,.0f} MB" if size_bytes >= 1e6 else f"{size_bytes / 1e3:,.0f} kB"
