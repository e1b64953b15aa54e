"""Exact search over a few thousand vectors, kept in memory while they are asked for.

A graph index may not reach every vector: many equal ones link to each other alone. For one user's library comparing all
is exact, and ten times cheaper.
"""

from collections import OrderedDict
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Library = tuple[str, str]  # a space of vectors, and an owner
Scope = tuple[Library, frozenset[str] | None]  # which files: None for all


@dataclass(frozen=True, slots=True)
class Rows:
    """Vectors of length 1 with the names of their files and their ordinals.

    Half precision takes half the memory and changes a cosine by about 0.00001.
    """

    files: list[str]
    ordinals: list[int]
    vectors: NDArray[np.float16]

    @classmethod
    def of(cls, files: list[str], ordinals: list[int], vectors: NDArray[np.floating]) -> "Rows":
        floats = np.asarray(vectors, np.float32).reshape(len(files), -1 if files else 0)
        lengths = np.maximum(np.linalg.norm(floats, axis=1, keepdims=True), 1e-12)
        return cls(files, ordinals, (floats / lengths).astype(np.float16))

    def plus(self, new: "Rows") -> "Rows":
        """With those of the new rows that are not there yet."""
        known = set(zip(self.files, self.ordinals, strict=True))
        added = [n for n, place in enumerate(zip(new.files, new.ordinals, strict=True)) if place not in known]
        return Rows(
            self.files + [new.files[n] for n in added],
            self.ordinals + [new.ordinals[n] for n in added],
            np.concatenate([self.vectors, new.vectors[added]]) if self.files else new.vectors[added],
        )

    def nearest(
        self, vector: Floats, files: Collection[str] | None, limit: int
    ) -> tuple[list[str], list[int], list[float]]:
        """Files, ordinals and cosine similarities, best first."""
        if not self.files:
            return [], [], []
        scores = self.vectors.astype(np.float32) @ (vector / max(float(np.linalg.norm(vector)), 1e-12))
        order = np.argsort(-scores, kind="stable").tolist()
        best = [n for n in order if files is None or self.files[n] in files][:limit]
        return [self.files[n] for n in best], [self.ordinals[n] for n in best], [float(scores[n]) for n in best]


class Recent:
    """The rows of the scopes that were searched last: up to `capacity` vectors, None for a scope of over `limit`."""

    def __init__(self, *, limit: int, capacity: int) -> None:
        self.limit, self._capacity = limit, capacity
        self._scopes: OrderedDict[Scope, Rows | None] = OrderedDict()

    def __contains__(self, scope: Scope) -> bool:
        return scope in self._scopes

    def get(self, scope: Scope) -> Rows | None:
        self._scopes.move_to_end(scope)
        return self._scopes[scope]

    def put(self, scope: Scope, rows: Rows | None) -> None:
        self._scopes[scope] = rows if rows is None or len(rows.files) <= self.limit else None
        while self._cost() > self._capacity and len(self._scopes) > 1:
            self._scopes.popitem(last=False)

    def add(self, library: Library, rows: Rows) -> None:
        """The library has these rows from now on."""
        known = self._scopes.get((library, None))
        is_large = (library, None) in self._scopes and known is None
        self.forget(library)
        if known is not None:
            self.put((library, None), known.plus(rows))
        elif is_large:
            self.put((library, None), None)

    def forget(self, library: Library) -> None:
        """What is kept of this library is not true any more."""
        for scope in [scope for scope in self._scopes if scope[0] == library]:
            del self._scopes[scope]

    def forget_space(self, space: str) -> None:
        """What is kept of any library of this space is not true any more."""
        for library in {library for library, _ in self._scopes if library[0] == space}:
            self.forget(library)

    def _cost(self) -> int:
        return sum(1 if rows is None else max(1, len(rows.files)) for rows in self._scopes.values())


def parts(names: Sequence[str]) -> tuple[list[str], list[int]]:
    """`<file>:<ordinal>` taken apart."""
    pairs = [name.rpartition(":") for name in names]
    return [file for file, _, _ in pairs], [int(ordinal) for _, _, ordinal in pairs]
