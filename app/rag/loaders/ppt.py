"""PowerPoint presentations of PowerPoint 97 to 2003."""

from collections.abc import Iterable
from pathlib import Path

from app.rag.readers.ole import Streams
from app.rag.readers.parts import Paged, Part
from app.rag.readers.ppt_file import PptFile
from app.rag.readers.ppt_slides import ppt_parts


class Ppt(Paged):
    """A page is a slide with its tables and notes."""

    def read(self, path: Path) -> Iterable[Part]:
        return ppt_parts(PptFile(Streams(path)))
