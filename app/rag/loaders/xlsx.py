"""Excel workbooks, transitional and strict, also with macros and as templates."""

from collections.abc import Iterable
from pathlib import Path

from app.rag.readers.archive import Archive
from app.rag.readers.opc import Opc
from app.rag.readers.parts import Paged, Part
from app.rag.readers.workbook import workbook_parts


class Xlsx(Paged):
    """A page is a sheet, or a part of a long one. Formulas say what they were last calculated to."""

    def read(self, path: Path) -> Iterable[Part]:
        return workbook_parts(Opc(Archive(path), usual="xl/workbook.xml", what="workbook", root="workbook"))
