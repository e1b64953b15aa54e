"""Exact search: the same as plain arithmetic, in less time, and what is kept of which library."""

import numpy as np
import pytest

from app.rag.exact import Recent, Rows, Scope, cosines, highest

ANN, BOB, CID = ("space", "ann"), ("space", "bob"), ("space", "cid")


def rows(count: int, *, file: str = "a", first: int = 0, width: int = 8) -> Rows:
    vectors = np.random.default_rng(count + first).normal(size=(count, width))
    return Rows.of([file] * count, range(first, first + count), vectors)


@pytest.mark.parametrize("count", [0, 1, 511, 512, 1300])
def test_cosines_are_those_of_single_precision(count: int) -> None:
    """Numbers of half precision are taken apart as bits: also zero, the least, the greatest, and signs."""
    found = rows(count, width=33)
    vector = np.random.default_rng(1).normal(size=33).astype(np.float32)
    expected = found.vectors.astype(np.float32) @ (vector / np.linalg.norm(vector)) if count else np.zeros(0)
    assert cosines(found.vectors, vector) == pytest.approx(expected, abs=2e-7)


def test_every_number_of_half_precision_is_read_exactly() -> None:
    every = np.arange(0x10000, dtype=np.uint16).view(np.float16)
    small = every[np.isfinite(every) & (np.abs(every) <= 1)]
    one = np.ones(1, np.float32)
    assert (cosines(small.reshape(-1, 1), one) == small.astype(np.float32)).all()


def test_of_equal_scores_the_first_come_first() -> None:
    scores = np.array([0.5, 0.9, 0.5, 0.5, 0.1], np.float32)
    assert highest(scores, 3).tolist() == [1, 0, 2]
    assert highest(scores, 9).tolist() == [1, 0, 2, 3, 4]
    assert highest(scores[:0], 3).tolist() == []


def test_rows_that_are_there_are_not_added_again() -> None:
    whole = rows(5).plus(rows(5, first=3)).plus(rows(2, file="b")).plus(Rows.none())
    assert [(whole.names[file], n) for file, n in zip(whole.files.tolist(), whole.ordinals.tolist(), strict=True)] == [
        *(("a", n) for n in range(8)),
        ("b", 0),
        ("b", 1),
    ]
    assert len(Rows.none().plus(rows(3))) == 3


def test_files_and_parts_of_files_are_searched_and_nothing_else() -> None:
    whole = rows(20).plus(rows(20, file="b")).plus(rows(20, file="c"))
    vector = np.ones(8, np.float32)
    files, ordinals, scores = whole.nearest(vector, {"a"}, {"b": [(3, 4), (19, 30)]}, 100)
    assert sorted(zip(files, ordinals, strict=True)) == [*(("a", n) for n in range(20)), ("b", 3), ("b", 4), ("b", 19)]
    assert scores == sorted(scores, reverse=True)
    assert whole.nearest(vector, set(), {}, 100) == ([], [], [])
    assert Rows.none().nearest(vector, None, {}, 100) == ([], [], [])


def test_a_large_library_is_kept_only_where_there_is_room() -> None:
    """Small ones push it out, and it does not push out another: both would be read again for every search."""
    recent = Recent(limit=50, small=10, capacity=60)
    recent.put(Scope(ANN), rows(40))
    recent.put(Scope(BOB), rows(30))
    assert recent.get(Scope(ANN)) is not None
    assert recent.get(Scope(BOB)) is None
    recent.put(Scope(CID), rows(10))
    assert recent.get(Scope(CID)) is not None
    for number in range(5):
        recent.put(Scope(("space", f"small {number}")), rows(10))
    assert Scope(ANN) not in recent


def test_a_library_that_had_no_room_is_read_again_when_there_is() -> None:
    recent = Recent(limit=50, small=10, capacity=60)
    recent.put(Scope(ANN), rows(40))
    recent.put(Scope(BOB), rows(30))
    assert Scope(BOB) in recent
    recent.forget(ANN)
    assert Scope(BOB) not in recent
    recent.put(Scope(BOB), rows(30))
    assert recent.get(Scope(BOB)) is not None


def test_numbers_that_are_none_are_not_near_anything() -> None:
    broken = Rows.of(["a", "b"], [0, 0], np.array([[float("nan"), 1.0], [1.0, 0.0]]))
    assert broken.nearest(np.array([1.0, 0.0], np.float32), None, {}, 2)[0] == ["b", "a"]


def test_a_library_over_the_limit_is_never_kept() -> None:
    recent = Recent(limit=50, small=10, capacity=1000)
    recent.put(Scope(ANN), rows(51))
    assert recent.get(Scope(ANN)) is None
    recent.put(Scope(BOB), rows(50))
    recent.add(BOB, rows(1, file="b"))
    assert recent.get(Scope(BOB)) is None
