"""Exact search over a few thousand vectors, kept in memory while they are asked for.

A graph index may not reach every vector: many equal ones link to each other alone. For one user's library comparing all
is exact, and ten times cheaper.
"""

from collections import OrderedDict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Library = tuple[str, str]  # a space of vectors, and an owner
Spans = Mapping[str, Sequence[tuple[int, int]]]  # of files: ordinals, from and to


@dataclass(frozen=True, slots=True)
class Scope:
    """What of a library is searched: whole files, None for all, and parts of others."""

    library: Library
    files: frozenset[str] | None = None
    spans: frozenset[tuple[str, tuple[tuple[int, int], ...]]] = frozenset()

    @classmethod
    def of(cls, library: Library, files: Collection[str], spans: Spans) -> "Scope":
        return cls(library, frozenset(files), frozenset((name, tuple(found)) for name, found in spans.items()))


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

    @classmethod
    def none(cls) -> "Rows":
        return cls([], [], np.zeros((0, 0), np.float16))

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
        self, vector: Floats, files: Collection[str] | None, spans: Spans, limit: int
    ) -> tuple[list[str], list[int], list[float]]:
        """Files, ordinals and cosine similarities, best first, of these files and of `spans` of others."""
        if not self.files:
            return [], [], []
        scores = self.vectors.astype(np.float32) @ (vector / max(float(np.linalg.norm(vector)), 1e-12))
        order = np.argsort(-scores, kind="stable").tolist()
        if files is None:
            best = order[:limit]
        else:
            reached = (n for n in order if self.files[n] in files or is_in(spans, self.files[n], self.ordinals[n]))
            best = list(islice(reached, limit))
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
        whole = Scope(library)
        known = self._scopes.get(whole)
        is_large = whole in self._scopes and known is None
        self.forget(library)
        if known is not None:
            self.put(whole, known.plus(rows))
        elif is_large:
            self.put(whole, None)

    def forget(self, library: Library) -> None:
        """What is kept of this library is not true any more."""
        for scope in [scope for scope in self._scopes if scope.library == library]:
            del self._scopes[scope]

    def forget_space(self, space: str) -> None:
        """What is kept of any library of this space is not true any more."""
        for library in {scope.library for scope in self._scopes if scope.library[0] == space}:
            self.forget(library)

    def _cost(self) -> int:
        return sum(1 if rows is None else max(1, len(rows.files)) for rows in self._scopes.values())


def is_in(spans: Spans, file: str, ordinal: int) -> bool:
    return any(first <= ordinal <= last for first, last in spans.get(file, ()))


def parts(names: Sequence[str]) -> tuple[list[str], list[int]]:
    """`<file>:<ordinal>` taken apart."""
    pairs = [name.rpartition(":") for name in names]
    return [file for file, _, _ in pairs], [int(ordinal) for _, _, ordinal in pairs]
