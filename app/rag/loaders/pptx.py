"""PowerPoint presentations, transitional and strict, also with macros, as templates and as shows."""

from collections.abc import Iterable
from pathlib import Path

from app.rag.readers.archive import Archive
from app.rag.readers.opc import Opc
from app.rag.readers.parts import Paged, Part
from app.rag.readers.slides import slide_parts


class Pptx(Paged):
    """A page is a slide, with its tables, charts, notes and comments."""

    def read(self, path: Path) -> Iterable[Part]:
        return slide_parts(Opc(Archive(path), usual="ppt/presentation.xml", what="presentation", root="presentation"))
