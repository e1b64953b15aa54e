"""Charts (DrawingML, ECMA-376 part 1, chapter 21.2): titles, and the values behind the bars and lines as a table."""

from dataclasses import dataclass, field

from app.rag.readers.opc import Silent
from app.rag.readers.tables import table_lines

LABELS = ("cat", "xVal")
VALUES = ("val", "yVal", "bubbleSize")


@dataclass(slots=True)
class Series:
    name: str = ""
    labels: dict[int, str] = field(default_factory=dict)
    values: dict[int, str] = field(default_factory=dict)


class Chart(Silent):
    """Events of a chart part; `lines` tells what it shows."""

    def __init__(self) -> None:
        self._series: list[Series] = []
        self._titles: list[str] = []
        self._words: list[str] = []
        self._in_series = False
        self._role = ""  # of what is being said: a name, labels or values
        self._index = 0
        self._taking = False

    def start(self, name: str, attributes: dict[str, str]) -> None:
        self._taking = name in {"t", "v"}
        if name == "ser":
            self._in_series = True
            self._series.append(Series())
        elif name in {"title", "tx", *LABELS, *VALUES} and self._role != "title":
            self._role = name
        elif name == "pt":
            index = attributes.get("idx", "")
            self._index = int(index) if index.isascii() and index.isdecimal() and len(index) < 8 else 0

    def end(self, name: str) -> None:
        self._taking = False
        if name == "ser":
            self._in_series = False
        elif name in {"v", "t"}:
            self._place("".join(self._words), whole=name == "v")
            self._words.clear()
        elif name in {"p", "title"} and self._titles:
            self._titles[-1] += " "
        if name == self._role:
            self._role = ""

    def text(self, data: str) -> None:
        if self._taking:
            self._words.append(data)

    def lines(self) -> str:
        """Titles, then a table: a row for each label, a column for each series."""
        titles = " ".join("".join(self._titles).split())
        shown = [series for series in self._series if series.values]
        if not shown:
            return titles
        labels: dict[int, str] = {}
        for series in shown:
            labels = {**dict.fromkeys(series.values, ""), **series.labels, **labels}
        rows = [[labels[index], *(series.values.get(index, "") for series in shown)] for index in sorted(labels)]
        table = "\n".join(table_lines([["", *(series.name or "Value" for series in shown)], *rows]))
        return f"{titles}\n\n{table}" if titles else table

    def _place(self, said: str, *, whole: bool) -> None:
        series = self._series[-1] if self._in_series else None
        if series is None or self._role == "title":
            self._titles.append(said + (" " if whole else ""))
        elif self._role == "tx":
            series.name = " ".join(f"{series.name} {said}".split())
        elif self._role in LABELS:
            series.labels[self._index] = said
        elif self._role in VALUES:
            series.values.setdefault(self._index, tidy_number(said))


def tidy_number(value: str) -> str:
    """At most 15 digits, as a spreadsheet shows: 0.30000000000000004 is 0.3."""
    try:
        number = float(value)
    except ValueError:
        return value
    if number == int(number) if abs(number) < 1e15 else False:
        return str(int(number))
    return f"{number:.15g}"
