"""Outlook messages (.msg)."""

import struct
from collections.abc import Iterable
from pathlib import Path

import olefile

from app.rag.pages import ParseError
from app.rag.readers.outlook import PROPERTIES, OutlookFile
from app.rag.readers.sections import Part, PartedWhole


class Outlook(PartedWhole):
    """The message is the first page; attached texts and messages follow, named for what they are."""

    def read(self, path: Path) -> Iterable[Part]:
        try:
            with olefile.OleFileIO(path) as ole:
                if not ole.exists(PROPERTIES):
                    raise ParseError("damaged", "the file holds no Outlook message; save the message again")
                return list(OutlookFile(ole).parts())
        except (OSError, IndexError, ValueError, KeyError, OverflowError, struct.error) as error:
            raise ParseError("damaged", f"the message is damaged: {error}; save it again") from error
