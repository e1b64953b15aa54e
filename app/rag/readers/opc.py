"""Office Open XML packages (ECMA-376 part 2): the parts of a file and how they refer to each other."""

import posixpath
from typing import NamedTuple
from urllib.parse import unquote

from app.rag.pages import ParseError
from app.rag.readers.archive import Archive
from app.rag.readers.xml import Events, parse_xml


def attribute(attributes: dict[str, str], name: str) -> str | None:
    """An attribute by its local name, whatever its prefix."""
    return next((value for key, value in attributes.items() if key.rpartition(":")[2] == name), None)


class Silent:
    """Events that say nothing; readers override what they need."""

    def start(self, name: str, attributes: dict[str, str]) -> None: ...

    def end(self, name: str) -> None: ...

    def text(self, data: str) -> None: ...


class First(Silent):
    """The name of the element around a document."""

    def __init__(self) -> None:
        self.name = ""

    def start(self, name: str, _attributes: dict[str, str]) -> None:
        self.name = self.name or name


class Relation(NamedTuple):
    """`kind` is the last word of the relation's type, the same in transitional and strict files."""

    kind: str
    part: str


class Relations(Silent):
    """Reads what a part in `folder` refers to, by id; links that leave the file are dropped."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self.found: dict[str, Relation] = {}

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if name == "Relationship" and attributes.get("TargetMode") != "External":
            kind = attributes.get("Type", "").rpartition("/")[2]
            target = attributes.get("Target", "").replace("\\", "/")
            self.found[attributes.get("Id", "")] = Relation(kind, self._known(target))

    def _known(self, target: str) -> str:
        return posixpath.normpath(posixpath.join("/", self._folder, target)).lstrip("/")


class Opc:
    """An archive whose main part is `main`, by its relations or else by its usual name; `root` is its first element."""

    def __init__(self, archive: Archive, *, usual: str, what: str, root: str) -> None:
        self.archive = archive
        self._names = {name.lower(): name for name in archive.names}
        main = next((relation.part for relation in self.relations("").values() if _is_main(relation)), usual)
        self.main = main if main in archive.names else usual
        if self.main not in archive.names or self._root(self.main) != root:
            raise ParseError("damaged", f"the file is damaged: it has no {what} in it; save it again")

    def relations(self, part: str) -> dict[str, Relation]:
        """What `part` refers to, by id. Only parts that are in the file."""
        folder, name = posixpath.split(part)
        rels = posixpath.join(folder, "_rels", f"{name}.rels")
        if rels not in self.archive.names:
            return {}
        relations = Relations(folder)
        self.read(rels, relations)
        named = {key: Relation(kind, self._name(target)) for key, (kind, target) in relations.found.items()}
        return {key: relation for key, relation in named.items() if relation.part in self.archive.names}

    def parts(self, part: str, kind: str) -> list[str]:
        """The parts of one kind that `part` refers to."""
        return [relation.part for relation in self.relations(part).values() if relation.kind == kind]

    def read(self, part: str, events: Events) -> None:
        with self.archive.open(part) as entry:
            parse_xml(entry, events)

    def _root(self, part: str) -> str:
        first = First()
        self.read(part, first)
        return first.name

    def _name(self, target: str) -> str:
        """Part names are compared without case, and may be percent-encoded."""
        if target in self.archive.names:
            return target
        return self._names.get(target.lower()) or self._names.get(unquote(target).lower(), target)


def _is_main(relation: Relation) -> bool:
    return relation.kind == "officeDocument"
