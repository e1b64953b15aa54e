"""Name -> "module:attribute" tables, imported on first use: the one lazy door of the project."""

from collections.abc import Mapping
from pkgutil import resolve_name
from types import MappingProxyType
from typing import Generic, TypeVar, cast

from app.core.errors import UnknownName

T = TypeVar("T")


class Registry(Generic[T]):
    """A frozen table of plug-ins of one kind. A new plug-in is one file and one line in its table."""

    def __init__(self, kind: str, entries: Mapping[str, str]) -> None:
        self.kind = kind
        self.entries: Mapping[str, str] = MappingProxyType(dict(entries))

    def names(self) -> list[str]:
        return sorted(self.entries)

    def get(self, name: str) -> T:
        """The object behind `name`. Raises UnknownName, which lists the known names."""
        try:
            target = self.entries[name]
        except KeyError:
            raise UnknownName.of(self.kind, name, self.names()) from None
        return cast(T, resolve_name(target))
