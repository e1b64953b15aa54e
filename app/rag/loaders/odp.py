"""OpenDocument presentations, drawings and their templates, also of OpenOffice 1."""

from collections.abc import Iterable
from pathlib import Path

from app.rag.readers.archive import Archive
from app.rag.readers.odf_package import OdfPackage
from app.rag.readers.odf_slides import odf_slides
from app.rag.readers.parts import Paged, Part


class Odp(Paged):
    """A page is a slide with its notes."""

    def read(self, path: Path) -> Iterable[Part]:
        return odf_slides(OdfPackage(Archive(path)))
