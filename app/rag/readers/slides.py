"""The slides of a presentation (PresentationML, ECMA-376 part 1, chapter 19)."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from app.rag.pages import ParseError
from app.rag.readers.blocks import Blocks
from app.rag.readers.chart import Chart
from app.rag.readers.opc import Opc, Relation, Silent, attribute
from app.rag.readers.sections import Part

TITLES = {"title", "ctrTitle"}
UNSAID = {"dt", "sldNum", "sldImg"}  # date and number of the slide, and its picture among the notes
TRUE = {"1", "true"}
MAX_FRAMES = 200
SKIPPED = frozenset({"Fallback", "rPr", "extLst", "del", "modelIdLst"})


def slide_parts(package: Opc) -> Iterator[Part]:
    """A part for each slide in the order in which they are shown. Raises ParseError."""
    order = SlideOrder()
    package.read(package.main, order)
    relations = package.relations(package.main)
    slides = dict.fromkeys(relations[key].part for key in order.ids if key in relations)  # each is shown once
    for number, part in enumerate(slides, 1):
        try:
            yield _slide(package, part, number)
        except ParseError as error:
            if error.code != "damaged":
                raise
            yield Part(f"Slide {number}", "", error.message)


def _slide(package: Opc, part: str, number: int) -> Part:
    relations = package.relations(part)
    slide = Slide(package, relations)
    package.read(part, slide)
    title = " ".join(" ".join(slide.titles).split())
    texts = [f"# {title}"] if title else []
    texts.append(slide.blocks.text())
    for kind, other in relations.values():
        if kind == "notesSlide":
            texts.append(_said(package, other, "Notes: ", only="body"))
        elif kind == "comments":
            texts.append(_said(package, other, "Comment: "))
    hidden = " (hidden)" if slide.is_hidden else ""
    return Part(f"Slide {number}{hidden}" + f": {title}" * bool(title), "\n\n".join(filter(None, texts)))


def _said(package: Opc, part: str, prefix: str, *, only: str | None = None) -> str:
    said = Slide(package, {}, only=only)
    package.read(part, said)
    text = said.blocks.text()
    return prefix + text if text else ""


class SlideOrder(Silent):
    """Reads presentation.xml."""

    def __init__(self) -> None:
        self.ids: list[str] = []

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if name == "sldId":
            self.ids.append(next((value for key, value in attributes.items() if key.endswith(":id")), ""))


@dataclass(slots=True)
class Shape:
    """`kind` of the placeholder that it fills; None: it fills none."""

    kind: str | None = None
    listed: bool = False
    is_frame: bool = False
    words: list[str] = field(default_factory=list)


class Slide(Silent):
    """Events of a slide, its notes or comments. Shapes may stand in groups, to any depth."""

    def __init__(self, package: Opc, relations: dict[str, Relation], *, only: str | None = None) -> None:
        self.blocks = Blocks(collapse=False)
        self.titles: list[str] = []
        self.is_hidden = False
        self._package = package
        self._relations = relations
        self._only = only
        self._shape = Shape()
        self._listed = False  # the open paragraph
        self._heads = False  # the open table's first row
        self._span = (1, 1)
        self._frames = 0
        self._skipped = 0
        self._taking = False

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if self._skipped or name in SKIPPED or (name == "tc" and _is_covered(attributes)):
            self._skipped += 1
        elif name in {"t", "text"}:
            self._taking = True
        elif action := STARTS.get(name):
            action(self, attributes)

    def end(self, name: str) -> None:
        self._taking = False
        if self._skipped:
            self._skipped -= 1
        elif action := ENDS.get(name):
            action(self)

    def text(self, data: str) -> None:
        if self._taking and self._shape.kind not in UNSAID and self._only in {None, self._shape.kind}:
            (self._shape.words.append if self._shape.kind in TITLES else self.blocks.add)(data)

    def visibility(self, attributes: dict[str, str]) -> None:
        self.is_hidden = attributes.get("show", "1") not in TRUE

    def open_shape(self, _attributes: dict[str, str]) -> None:
        self._shape = Shape()

    def open_frame(self, _attributes: dict[str, str]) -> None:
        """A table, chart or picture: what it says is no list, even in the place of one."""
        self._shape = Shape(is_frame=True)

    def close_shape(self) -> None:
        self.titles += self._shape.words
        self._shape = Shape()

    def placeholder(self, attributes: dict[str, str]) -> None:
        self._shape.kind = attributes.get("type", "obj")
        self._shape.listed = self._shape.kind in {"body", "obj"} and self._only is None and not self._shape.is_frame

    def open_paragraph(self, _attributes: dict[str, str]) -> None:
        self.blocks.open_frame()
        self._listed = self._shape.listed

    def close_paragraph(self) -> None:
        self._shape.words.append(" ")
        self.blocks.close_frame("- " if self._listed else "", clings=self._listed)

    def bullet(self, _attributes: dict[str, str]) -> None:
        self._listed = True

    def no_bullet(self, _attributes: dict[str, str]) -> None:
        self._listed = False

    def line_break(self, _attributes: dict[str, str]) -> None:
        (self._shape.words.append if self._shape.kind in TITLES else self.blocks.add)("\n")

    def open_table(self, _attributes: dict[str, str]) -> None:
        self.blocks.open_table()
        self._heads = False

    def table_look(self, attributes: dict[str, str]) -> None:
        self._heads = attributes.get("firstRow") in TRUE

    def open_cell(self, attributes: dict[str, str]) -> None:
        if self.blocks.in_row:
            self.blocks.open_frame()
            self._span = _number(attributes.get("gridSpan")), _number(attributes.get("rowSpan"))

    def close_cell(self) -> None:
        if self.blocks.in_row:
            columns, rows = self._span
            self.blocks.close_cell(columns=columns, rows=rows, heads=self._heads)

    def close_row(self) -> None:
        self.blocks.close_row()
        self._heads = False

    def chart(self, attributes: dict[str, str]) -> None:
        if part := self._part("chart", attribute(attributes, "id")):
            chart = Chart()
            self._package.read(part, chart)
            self._aside(chart.lines())

    def diagram(self, attributes: dict[str, str]) -> None:
        if part := self._part("diagramData", attribute(attributes, "dm")):
            inner = Slide(self._package, {})
            self._package.read(part, inner)
            self._aside(inner.blocks.text())

    def _part(self, kind: str, identifier: str | None) -> str | None:
        """The part that a frame shows; a slide has no thousands of them."""
        relation = self._relations.get(identifier or "")
        self._frames += 1
        return relation.part if relation and relation.kind.startswith(kind) and self._frames <= MAX_FRAMES else None

    def _aside(self, text: str) -> None:
        self.blocks.open_frame()
        self.blocks.add(text)
        self.blocks.close_frame()


def _is_covered(attributes: dict[str, str]) -> bool:
    return attributes.get("hMerge") in TRUE or attributes.get("vMerge") in TRUE


def _number(value: str | None) -> int:
    return max(1, int(value[:4])) if value and value.isascii() and value.isdecimal() else 1


STARTS: dict[str, Callable[[Slide, dict[str, str]], None]] = {
    "sld": Slide.visibility,
    "sp": Slide.open_shape,
    "pic": Slide.open_frame,
    "graphicFrame": Slide.open_frame,
    "ph": Slide.placeholder,
    "p": Slide.open_paragraph,
    "buChar": Slide.bullet,
    "buAutoNum": Slide.bullet,
    "buNone": Slide.no_bullet,
    "br": Slide.line_break,
    "tbl": Slide.open_table,
    "tblPr": Slide.table_look,
    "tr": lambda slide, _: slide.blocks.open_row(),
    "tc": Slide.open_cell,
    "chart": Slide.chart,
    "relIds": Slide.diagram,
}
ENDS: dict[str, Callable[[Slide], None]] = {
    "sp": Slide.close_shape,
    "pic": Slide.close_shape,
    "graphicFrame": Slide.close_shape,
    "p": Slide.close_paragraph,
    "tc": Slide.close_cell,
    "tr": Slide.close_row,
    "tbl": lambda slide: slide.blocks.close_table(),
}
