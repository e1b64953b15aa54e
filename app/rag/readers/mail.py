"""Mail as text: a few headers, the body, and the parts that hang on it (RFC 5322, 2045-2047, 2183)."""

import re
from collections.abc import Callable, Iterator
from email import policy
from email.errors import MessageError
from email.header import decode_header
from email.message import Message
from email.parser import BytesParser

from app.rag.readers.encoding import decode
from app.rag.readers.html import html_text
from app.rag.readers.sections import Part

SHOWN = ("From", "To", "Cc", "Date", "Subject")
MAX_DEPTH = 20
MAX_PARTS = 1000
MAX_HEADER_CHARS = 10_000
PREFERRED = ("text/plain", "text/html", "text/enriched", "text/richtext")
TEXT_NAMES = (".txt", ".md", ".csv", ".tsv", ".log", ".json", ".xml", ".html", ".htm", ".ics", ".vcf")
HTML_NAMES = (".html", ".htm")
LINE_BREAKS = re.compile(r"\s*[\r\n]+\s*")


class Mail:
    """Reads one message and, as parts of their own, its attached texts and messages."""

    def __init__(self) -> None:
        self._messages = 0
        self._left = MAX_PARTS

    def parts(self, data: bytes) -> Iterator[Part]:
        message = BytesParser(policy=policy.compat32).parsebytes(data)
        yield from self._message(message, 0)

    def _message(self, message: Message, depth: int) -> Iterator[Part]:
        self._messages += 1
        label = f"Message {self._messages}" if self._messages > 1 else None
        bodies: list[str] = []
        attached: list[tuple[str, Message]] = []
        self._collect(message, bodies, attached, depth)
        lines = [f"{name}: {text}" for name in SHOWN if (text := header(message, name))]
        named = [name for name, _ in attached if name]
        lines += [f"Attachments: {', '.join(named)}"] if named else []
        yield Part(label, "\n".join(lines) + "\n\n" + "\n\n".join(filter(None, bodies)))
        for name, part in attached:
            yield from self._attachment(name, part, depth)

    def _collect(self, part: Message, bodies: list[str], attached: list[tuple[str, Message]], depth: int) -> None:
        """Bodies in order; of alternatives the plainest that has words."""
        self._left -= 1
        if self._left < 0 or depth > MAX_DEPTH:
            return
        kind, name = part.get_content_type(), _file_name(part)
        inner = [child for child in part.get_payload() if isinstance(child, Message)] if part.is_multipart() else []
        if kind == "message/rfc822" or name or _is_attachment(part):
            attached.append((name, part))
        elif kind == "multipart/alternative":
            chosen = _alternative(inner)
            for child in inner:
                if child is chosen or child.get_content_type() not in PREFERRED:
                    self._collect(child, bodies, attached, depth + 1)
        elif inner:
            for child in inner:
                self._collect(child, bodies, attached, depth + 1)
        elif kind.startswith("text/") or kind == "message/delivery-status":
            bodies.append(text_of(part))

    def _attachment(self, name: str, part: Message, depth: int) -> Iterator[Part]:
        if part.get_content_type() == "message/rfc822":
            for inner in part.get_payload() if part.is_multipart() else ():
                if isinstance(inner, Message) and depth < MAX_DEPTH:
                    yield from self._message(inner, depth + 1)
        elif attached := text_attachment(name, part.get_content_type(), lambda: _payload(part), _charset(part)):
            yield attached


def header(message: Message, name: str) -> str:
    """A header in words. Raw bytes in it are decoded by what they look like."""
    raw = next((str(value) for key, value in message.raw_items() if key.lower() == name.lower()), "")
    return decoded_header(raw, _charset(message))


def decoded_header(raw: str, charset: str | None = None) -> str:
    pieces: list[str] = []
    try:
        found = decode_header(LINE_BREAKS.sub(" ", raw[:MAX_HEADER_CHARS]))
    except (MessageError, ValueError):
        found = [(raw, None)]
    for text, encoding in found:
        data = text.encode("utf-8", "surrogateescape") if isinstance(text, str) else text
        pieces.append(decode(data, declared=encoding or charset))
    return " ".join("".join(pieces).split())


def text_of(part: Message) -> str:
    """The words of a text part."""
    return _words(_payload(part), part.get_content_subtype() == "html", _charset(part))


def text_attachment(name: str, kind: str, content: Callable[[], bytes], charset: str | None = None) -> Part | None:
    """What is attached, when it is a text."""
    if not kind.startswith("text/") and not name.lower().endswith(TEXT_NAMES):
        return None
    text = _words(content(), kind == "text/html" or name.lower().endswith(HTML_NAMES), charset)
    if not text.strip() or text.count("\ufffd") * 20 > len(text):
        return None
    return Part(f"Attachment {name}".strip(), text)


def _payload(part: Message) -> bytes:
    try:
        payload = part.get_payload(decode=True)
    except (ValueError, AssertionError):  # base64 that is none
        payload = None
    return payload if isinstance(payload, bytes) else b""


def _words(data: bytes, is_html: bool, charset: str | None) -> str:
    text = decode(data, declared=charset)
    return html_text(text) if is_html else text.replace("\r\n", "\n").strip()


def _alternative(parts: list[Message]) -> Message | None:
    for kind in PREFERRED:
        for part in parts:
            if part.get_content_type() == kind and not _is_attachment(part) and text_of(part).strip():
                return part
    return None


def _charset(part: Message) -> str | None:
    try:
        return part.get_content_charset()
    except (LookupError, ValueError, TypeError):
        return None


def _is_attachment(part: Message) -> bool:
    return str(part.get("Content-Disposition") or "").strip().lower().startswith("attachment")


def _file_name(part: Message) -> str:
    try:
        name = part.get_filename() or ""
    except (LookupError, ValueError, TypeError):
        name = ""
    return decoded_header(name)[:200].replace("\x00", "") if name else ""
