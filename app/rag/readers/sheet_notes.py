"""What an Excel sheet has beside its cells: comments, text boxes, charts."""

from collections.abc import Iterator

from app.rag.readers.chart import Chart
from app.rag.readers.opc import Opc, Silent


def sheet_notes(package: Opc, part: str) -> Iterator[str]:
    """A text for each. Newer comments repeat older ones, which say less."""
    relations = list(package.relations(part).values())
    threads = [other for kind, other in relations if kind == "threadedComment"]
    for other in threads or [other for kind, other in relations if kind == "comments"]:
        comments = Comments()
        package.read(other, comments)
        yield "\n".join(comments.found)
    for kind, other in relations:
        if kind == "drawing":
            shapes = Shapes()
            package.read(other, shapes)
            yield "\n".join(shapes.found)
            for chart_part in package.parts(other, "chart"):
                chart = Chart()
                package.read(chart_part, chart)
                yield chart.lines()


class Comments(Silent):
    """Reads both kinds of comments: `comment` with runs of `t`, and `threadedComment` with one `text`."""

    def __init__(self) -> None:
        self.found: list[str] = []
        self._words: list[str] = []
        self._cell = ""
        self._taking = False

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if name in {"comment", "threadedComment"}:
            self._cell = attributes.get("ref", "")
            self._words.clear()
        self._taking = name == "t" or (name == "text" and bool(self._cell))

    def end(self, name: str) -> None:
        self._taking = False
        if name in {"comment", "threadedComment"}:
            words = " ".join("".join(self._words).split())
            if words:
                self.found.append(f"Comment on {self._cell}: {words}")

    def text(self, data: str) -> None:
        if self._taking:
            self._words.append(data)


class Shapes(Silent):
    """The paragraphs of text boxes and other shapes of a drawing."""

    def __init__(self) -> None:
        self.found: list[str] = []
        self._words: list[str] = []
        self._skipped = 0
        self._taking = False

    def start(self, name: str, _attributes: dict[str, str]) -> None:
        self._skipped += name == "Fallback"
        self._taking = name == "t" and not self._skipped

    def end(self, name: str) -> None:
        self._taking = False
        self._skipped -= name == "Fallback"
        if name == "p" and self._words:
            self.found.append("".join(self._words))
            self._words.clear()

    def text(self, data: str) -> None:
        if self._taking:
            self._words.append(data)
