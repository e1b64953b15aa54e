"""How two rankings become one."""

import pytest

from app.rag.fusion import fuse, ranks


def test_each_half_is_normalised_before_they_are_added() -> None:
    fused = fuse([(0.5, {"a": 0.9, "b": 0.8, "c": 0.1}), (0.5, {"b": 40.0, "d": 20.0, "c": 0.0})])
    assert fused == pytest.approx({"b": 0.5 * 0.875 + 0.5, "a": 0.5, "d": 0.25, "c": 0.0})
    assert list(fused) == ["b", "a", "d", "c"]


def test_weights_say_how_much_each_half_counts() -> None:
    assert fuse([(1.0, {"a": 2.0, "b": 1.0}), (3.0, {"b": 2.0, "a": 1.0})]) == {"b": 0.75, "a": 0.25}
    assert fuse([(0.0, {"a": 2.0, "b": 1.0}), (1.0, {"b": 2.0, "a": 1.0})]) == {"b": 1.0, "a": 0.0}


def test_a_half_without_differences_gives_full_marks() -> None:
    assert fuse([(0.5, {"a": 0.3}), (0.5, {"b": 7.0, "c": 7.0})]) == {"a": 0.5, "b": 0.5, "c": 0.5}


def test_one_half_or_none() -> None:
    assert fuse([(1.0, {"a": 3.0, "b": 1.0, "c": 2.0})]) == {"a": 1.0, "c": 0.5, "b": 0.0}
    assert fuse([(0.5, {}), (0.5, {})]) == {}


def test_ranks_count_from_one() -> None:
    assert ranks({"a": 0.1, "b": 0.9, "c": 0.5}) == {"b": 1, "c": 2, "a": 3}
