"""Which of a repository's files are the model that is meant."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import PurePosixPath
from typing import Final

from app.core.errors import NotFound, ValidationFailed
from app.services.llm.store.names import SUFFIX, is_gguf, model_name, part_of, quantization

# Good answers for the memory first, then what is larger, then what is smaller and worse.
ORDER: Final = (
    *("Q4_K_M", "Q4_K_S", "Q4_K_L", "Q4_K_XL", "Q5_K_M", "Q5_K_S", "Q4_0", "IQ4_XS", "IQ4_NL", "Q4_1", "MXFP4"),
    *("Q6_K", "Q8_0", "Q5_0", "Q5_1", "Q3_K_L", "Q3_K_M", "Q3_K_S", "Q2_K", "BF16", "F16", "FP16", "F32"),
)
BESIDE: Final = ("mmproj", "imatrix")  # what such files begin with: they are no models by themselves
MAX_LISTED: Final = 30


@dataclass(frozen=True, slots=True)
class Choice:
    """The files of one model in their order. `chosen`: by ORDER, of several."""

    paths: tuple[str, ...]
    chosen: bool


def choose(paths: Iterable[str], wanted: str | None, *, repo: str) -> Choice:
    """`wanted` is a path, a file's name, with or without `.gguf`, or a quantization; None: the first by ORDER.

    Raises NotFound or ValidationFailed, both with the repository's GGUF files.
    """
    models = _models(paths)
    if not models:
        raise NotFound(f"repository {repo!r} has no GGUF file; look for one whose name ends in -GGUF")
    found = _named(models, wanted) if wanted is not None else _best(models)
    if len(found) == 1:
        return Choice(tuple(models[found[0]]), chosen=wanted is None and len(models) > 1)
    files = _listed([paths[0] for paths in models.values()])
    if not found and wanted is not None:
        close = get_close_matches(wanted, [*models, *(paths[0] for paths in models.values())], n=3, cutoff=0.3)
        hint = f", maybe {close[0]!r} is meant" if close else ""
        raise NotFound(f"repository {repo!r} has no file {wanted!r}{hint}; its GGUF files: {files}")
    raise ValidationFailed(f"repository {repo!r} has several models; name a file, as {repo}:FILE. There are: {files}")


def _models(paths: Iterable[str]) -> dict[str, list[str]]:
    """Each model's files by the model's path, without those whose parts are not all there."""
    models: dict[str, list[str]] = {}
    for path in sorted(paths):
        if is_gguf(path):
            name = model_name(path.rpartition("/")[2])
            models.setdefault(str(PurePosixPath(path).with_name(name)), []).append(path)
    return {key: files for key, files in models.items() if len(files) == part_of(files[0]).total}


def _named(models: dict[str, list[str]], wanted: str) -> Sequence[str]:
    stem = wanted[: -len(SUFFIX)] if is_gguf(wanted) else wanted
    exact = [key for key, paths in models.items() if key == stem or wanted in paths or f"{stem}{SUFFIX}" in paths]
    return (
        exact
        or [key for key in models if key.rpartition("/")[2].lower() == stem.lower()]
        or [key for key in models if quantization(key) == wanted.upper()]
    )


def _best(models: dict[str, list[str]]) -> Sequence[str]:
    whole = [key for key in models if not key.rpartition("/")[2].lower().startswith(BESIDE)]
    if len(whole) <= 1:
        return whole or list(models)
    for wanted in ORDER:
        if found := [key for key in whole if quantization(key) == wanted]:
            return found
    return whole


def _listed(files: Sequence[str]) -> str:
    more = f" and {len(files) - MAX_LISTED} more" if len(files) > MAX_LISTED else ""
    return ", ".join(files[:MAX_LISTED]) + more
