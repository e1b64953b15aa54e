"""Tables of plug-ins: found by name, imported when asked for, frozen."""

import subprocess
import sys
from pathlib import Path

import pytest

from app.core.errors import UnknownName
from app.core.registry import Registry

ROOT = Path(__file__).parents[2]
TABLE: Registry[type] = Registry("thing", {"b": "collections:Counter", "a": "decimal:Decimal.from_float"})


def test_name_gives_the_object() -> None:
    from collections import Counter  # noqa: PLC0415

    assert TABLE.get("b") is Counter
    assert TABLE.names() == ["a", "b"]


def test_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(UnknownName, match=r"unknown thing 'c'; known: a, b") as error:
        TABLE.get("c")
    assert error.value.status == 404
    assert error.value.details == {"known": ["a", "b"]}


def test_table_does_not_follow_the_mapping_it_was_made_of() -> None:
    entries = {"a": "collections:Counter"}
    table: Registry[type] = Registry("thing", entries)
    entries["b"] = "collections:OrderedDict"
    assert table.names() == ["a"]
    with pytest.raises(TypeError):
        table.entries["b"] = "collections:OrderedDict"  # type: ignore[index]


def test_module_is_imported_on_first_use() -> None:
    code = (
        "import sys; from app.core.registry import Registry; t = Registry('x', {'a': 'colorsys:rgb_to_hsv'}); "
        "assert 'colorsys' not in sys.modules; t.get('a'); assert 'colorsys' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


def test_broken_entry_is_not_taken_for_an_unknown_name() -> None:
    with pytest.raises(ModuleNotFoundError):
        Registry[type]("thing", {"a": "no.such.module:Thing"}).get("a")
