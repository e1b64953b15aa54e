"""Mail as files: single messages (.eml), saved web pages (.mht) and mailboxes (.mbox)."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from app.rag.pages import ParseError
from app.rag.readers.mail import Mail
from app.rag.readers.sections import Part, PartedWhole

MAX_BYTES = 200 << 20
# In a mailbox a line like this begins a message; in the text of one it is written `>From `.
ENVELOPE = re.compile(rb"^From \S[^\r\n]*\d{4}[^\r\n]*\r?\n", re.MULTILINE)
APPLE_LENGTH = re.compile(rb"\s*\d{1,12}\s*\n")


class Email(PartedWhole):
    """The message is the first page; attached texts and messages follow, named for what they are.

    In a mailbox each message is a page of its own, called `Message 2`.
    """

    def read(self, path: Path) -> Iterable[Part]:
        if path.stat().st_size > MAX_BYTES:
            raise ParseError("too_much_text", f"the mail has more than {MAX_BYTES >> 20} MB; split it")
        data = path.read_bytes()
        mail = Mail()
        for message in _messages(data):
            yield from mail.parts(message)


def _messages(data: bytes) -> Iterator[bytes]:
    data = data.removeprefix(b"\xef\xbb\xbf").lstrip()
    if found := APPLE_LENGTH.match(data):  # .emlx
        data = data[found.end() :]
    if not ENVELOPE.match(data):
        yield data
        return
    starts = [found.start() for found in ENVELOPE.finditer(data)]
    for start, end in zip(starts, [*starts[1:], len(data)], strict=True):
        yield data[data.index(b"\n", start) + 1 : end].replace(b"\n>From ", b"\nFrom ")
