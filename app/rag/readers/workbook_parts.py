"""The parts of an Excel workbook beside its sheets: their names, the shared strings, the formats of cells."""

from dataclasses import dataclass, field

from app.rag.readers.number_format import BUILT_IN, Format
from app.rag.readers.opc import Silent, attribute

NUMBER = Format()


@dataclass(frozen=True, slots=True)
class Sheet:
    name: str
    relation: str
    is_hidden: bool


@dataclass(slots=True)
class Book(Silent):
    """Reads workbook.xml."""

    sheets: list[Sheet] = field(default_factory=list)
    strings: list[str] = field(default_factory=list)
    formats: list[Format] = field(default_factory=list)
    from_1904: bool = False

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if name == "sheet":
            relation = next((value for key, value in attributes.items() if key.endswith(":id")), "")
            state = attributes.get("state", "visible")
            self.sheets.append(Sheet(attributes.get("name", ""), relation, state != "visible"))
        elif name == "workbookPr":
            self.from_1904 = attributes.get("date1904") in {"1", "true", "on"}


class Strings(Silent):
    """Reads sharedStrings.xml into a list."""

    def __init__(self, found: list[str]) -> None:
        self._found = found
        self._words: list[str] = []
        self._taking = False
        self._skipped = 0  # the reading of Chinese characters

    def start(self, name: str, _attributes: dict[str, str]) -> None:
        self._skipped += name == "rPh"
        self._taking = name == "t" and not self._skipped

    def end(self, name: str) -> None:
        self._taking = False
        if name == "si":
            self._found.append("".join(self._words))
            self._words.clear()
        elif name == "rPh":
            self._skipped -= 1

    def text(self, data: str) -> None:
        if self._taking:
            self._words.append(data)


class Styles(Silent):
    """Reads styles.xml."""

    def __init__(self) -> None:
        self._codes: dict[int, str] = dict(BUILT_IN)
        self._used: list[int] = []
        self._in_cells = False

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if name == "numFmt" and (number := _number(attributes)) is not None:
            self._codes[number] = attribute(attributes, "formatCode") or ""
        elif name == "cellXfs":
            self._in_cells = True
        elif name == "xf" and self._in_cells:
            self._used.append(_number(attributes) or 0)

    def end(self, name: str) -> None:
        if name == "cellXfs":
            self._in_cells = False

    def formats(self) -> list[Format]:
        """By the number that a cell's `s` gives."""
        known = {number: Format.of(self._codes.get(number, "General")) for number in set(self._used)}
        return [known[number] for number in self._used]


def _number(attributes: dict[str, str]) -> int | None:
    value = attributes.get("numFmtId", "")
    return int(value) if value.isdecimal() and len(value) < 10 else None
