"""Outlook's messages ([MS-OXMSG]): properties in the streams of an OLE file."""

import struct
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

import olefile

from app.rag.readers.encoding import decode
from app.rag.readers.html import html_text
from app.rag.readers.mail import Mail, text_attachment
from app.rag.readers.rtf import rtf_text
from app.rag.readers.rtf_packed import unpacked
from app.rag.readers.sections import Part

SUBJECT, BODY, HTML, RTF = "0037", "1000", "1013", "1009"
SENDER, SENDER_SMTP, SENDER_ADDRESS, TO, CC, HEADERS = "0C1A", "5D01", "0C1F", "0E04", "0E03", "007D"
FILE_NAME, SHORT_NAME, DISPLAY_NAME, CONTENT, MIME = "3707", "3704", "3001", "3701", "370E"
TIMES = (0x0039, 0x0E06)  # submitted, delivered
CODE_PAGES = (0x3FFD, 0x3FDE)  # of the strings, of the HTML
UNICODE, BYTES, NARROW, STORAGE = "001F", "0102", "001E", "000D"
PROPERTIES = "__properties_version1.0"
EPOCH = datetime(1601, 1, 1, tzinfo=UTC)
MAX_DEPTH = 10
MAX_ATTACHMENTS = 1000
PR_INT, PR_TIME = 0x0003, 0x0040

Path = Sequence[str]


class OutlookFile:
    """A message with those inside it, as parts: headers and body, then attached texts and messages."""

    def __init__(self, ole: olefile.OleFileIO) -> None:
        self._ole = ole
        self._entries = [tuple(entry) for entry in ole.listdir(streams=True, storages=True)]
        self._known = {tuple(name.lower() for name in entry) for entry in self._entries}
        self._messages = 0

    def parts(self, at: Path = (), depth: int = 0) -> Iterator[Part]:
        self._messages += 1
        label = f"Message {self._messages}" if self._messages > 1 else None
        fixed = self._fixed(at)
        page = next((f"cp{fixed[key]}" for key in CODE_PAGES if fixed.get(key)), None)
        lines = [line for line in self._headers(at, fixed, page) if line]
        attachments = self._attachments(at)
        names = [name for _, name in attachments if name]
        lines += [f"Attachments: {', '.join(names)}"] if names else []
        yield Part(label, "\n".join(lines) + "\n\n" + self._body(at, page))
        for entry, name in attachments:
            yield from self._attached(entry, name, depth)

    def _headers(self, at: Path, fixed: dict[int, int], page: str | None) -> Iterator[str]:
        sender = self._text(at, SENDER, page)
        address = self._text(at, SENDER_SMTP, page) or self._text(at, SENDER_ADDRESS, page)
        if sender or address:
            shown = f" <{address}>" if "@" in address and address != sender else ""
            yield f"From: {sender or address}{shown}"
        for name, key in (("To", TO), ("Cc", CC)):
            if text := self._text(at, key, page):
                yield f"{name}: {text}"
        if ticks := next((fixed[when] for when in TIMES if fixed.get(when)), 0):
            yield f"Date: {_time(ticks)}"
        if subject := self._text(at, SUBJECT, page):
            yield f"Subject: {subject}"

    def _body(self, at: Path, page: str | None) -> str:
        if text := self._text(at, BODY, page):
            return text
        if markup := self._bytes(at, HTML, BYTES) or self._text(at, HTML, page).encode():
            return html_text(decode(markup))
        if packed := self._bytes(at, RTF, BYTES):
            return rtf_text(unpacked(packed))
        return ""

    def _attachments(self, at: Path) -> list[tuple[Path, str]]:
        depth = len(at)
        found = [
            entry
            for entry in self._entries
            if len(entry) == depth + 1 and entry[:depth] == tuple(at) and entry[-1].lower().startswith("__attach")
        ]
        return [(entry, self._name(entry)) for entry in sorted(found)[:MAX_ATTACHMENTS]]

    def _attached(self, entry: Path, name: str, depth: int) -> Iterator[Part]:
        inner = [*entry, f"__substg1.0_{CONTENT}{STORAGE}"]
        if self._has([*inner, PROPERTIES]) and depth < MAX_DEPTH:
            yield from self.parts(tuple(inner), depth + 1)
            return
        kind = self._text(entry, MIME, None).lower()
        if kind == "message/rfc822":
            yield from Mail().parts(self._bytes(entry, CONTENT, BYTES))
        elif part := text_attachment(name, kind, lambda: self._bytes(entry, CONTENT, BYTES)):
            yield part

    def _name(self, entry: Path) -> str:
        names = (self._text(entry, key, None) for key in (FILE_NAME, SHORT_NAME, DISPLAY_NAME))
        return next(filter(None, names), "")[:200]

    def _text(self, at: Path, key: str, page: str | None) -> str:
        if wide := self._bytes(at, key, UNICODE):
            return wide.decode("utf-16-le", "replace").strip("\0 \r\n\t").replace("\r\n", "\n")
        narrow = self._bytes(at, key, NARROW)
        return decode(narrow, declared=page).strip("\0 \r\n\t").replace("\r\n", "\n") if narrow else ""

    def _bytes(self, at: Path, key: str, kind: str) -> bytes:
        path = [*at, f"__substg1.0_{key}{kind}"]
        return self._read(path) if self._has(path) else b""

    def _has(self, path: Path) -> bool:
        return tuple(name.lower() for name in path) in self._known

    def _read(self, path: Path) -> bytes:
        with self._ole.openstream(list(path)) as stream:
            data: bytes = stream.read()
        return data

    def _fixed(self, at: Path) -> dict[int, int]:
        """Numbers and times by property; the entries begin after a header, 32 bytes long in the outermost message."""
        if not self._has([*at, PROPERTIES]):
            return {}
        data = self._read([*at, PROPERTIES])
        found = {}
        for offset in range(24 if at else 32, len(data) - 15, 16):
            kind, key, _flags, value = struct.unpack_from("<HHIQ", data, offset)
            if kind in {PR_INT, PR_TIME}:
                found[key] = value & 0xFFFFFFFF if kind == PR_INT else value
        return found


def _time(ticks: int) -> str:
    """Of 100 nanoseconds since 1601."""
    try:
        return (EPOCH + timedelta(microseconds=ticks // 10)).strftime("%Y-%m-%d %H:%M UTC")
    except OverflowError:
        return "unknown"
