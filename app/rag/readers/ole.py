"""OLE files (MS-CFB): the streams of old Office documents."""

from pathlib import Path

import olefile

from app.rag.pages import ParseError

AGAIN = "open it in an office program and save it in a current format (.docx, .xlsx, .pptx)"
LOCKED = ParseError("encrypted", "the document is protected by a password; save it without one and upload it again")
MAX_STREAM_BYTES = 200 << 20


class Streams:
    """Raises ParseError `damaged` or `encrypted`."""

    def __init__(self, path: Path) -> None:
        try:
            self._file = olefile.OleFileIO(str(path))
        except (OSError, ValueError, IndexError, TypeError) as error:
            raise ParseError("damaged", f"the file is no Office document, or it is damaged; {AGAIN}") from error
        if self._file.exists("EncryptedPackage"):
            raise LOCKED

    def read(self, name: str) -> bytes:
        """A stream as a whole. Raises ParseError when it is not there."""
        try:
            if not self._file.exists(name):
                raise ParseError("damaged", f"the document has no part {name!r}, it is damaged; {AGAIN}")
            if self._file.get_size(name) > MAX_STREAM_BYTES:
                raise ParseError("too_much_text", "the document is too large to be read; split it into smaller ones")
            data: bytes = self._file.openstream(name).read()
        except (OSError, ValueError, IndexError) as error:
            raise ParseError("damaged", f"the document is damaged ({error}); {AGAIN}") from error
        return data
