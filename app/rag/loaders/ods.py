"""OpenDocument spreadsheets and their templates, also of OpenOffice 1."""

from collections.abc import Iterable
from pathlib import Path

from app.rag.readers.archive import Archive
from app.rag.readers.odf_package import OdfPackage
from app.rag.readers.odf_sheets import odf_sheets
from app.rag.readers.parts import Paged, Part


class Ods(Paged):
    """A page is a sheet, or a part of a long one."""

    def read(self, path: Path) -> Iterable[Part]:
        return odf_sheets(OdfPackage(Archive(path)))
