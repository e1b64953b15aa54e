"""The encoding of a text file: byte order mark, UTF-8, zero bytes, what the file declares, then a guess."""

import codecs
import re
from collections.abc import Iterator
from pathlib import Path

from charset_normalizer import from_bytes

from app.rag.readers.byte_order import wide_encoding

PIECE_BYTES = 1 << 20
SAMPLE_BYTES = 1 << 16
DECLARED = re.compile(rb"""(?:charset|encoding|coding)\s*[=:]\s*["']?\s*([A-Za-z0-9_:.-]+)""", re.IGNORECASE)
# What a label means in practice: the larger code page that browsers read it as (WHATWG Encoding Standard).
WIDER = {
    "ascii": "cp1252",
    "us-ascii": "cp1252",
    "iso-8859-1": "cp1252",
    "latin-1": "cp1252",
    "latin_1": "cp1252",
    "iso-8859-9": "cp1254",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "shift_jis": "cp932",
    "shift-jis": "cp932",
    "ks_c_5601-1987": "cp949",
    "euc-kr": "cp949",
    "euc_kr": "cp949",
    "big5": "big5hkscs",
    "iso-8859-8-i": "cp1255",
    "tis-620": "cp874",
}
LIKELIEST = (
    "cp932", "gb18030", "euc_jp", "cp949", "big5", "cp1252", "cp1251", "cp1250", "cp1254", "cp1253", "cp1255", "cp1256",
    "cp1257", "cp874", "koi8_r", "koi8_u", "cp866", "iso8859_5", "iso8859_2", "iso8859_7", "mac_roman", "cp850",
    "utf_16_be", "utf_16_le",
)  # fmt: skip
STATEFUL = ("iso2022_jp", "iso2022_kr", "hz")


def detect_encoding(path: Path) -> str:
    """The encoding of a text file, as Python names it. Reads the whole file once, piece by piece."""
    with path.open("rb") as file:
        return _detect(iter(lambda: file.read(PIECE_BYTES), b""))


def decode(data: bytes) -> str:
    """The text of `data`; what no encoding explains becomes U+FFFD."""
    return data.decode(_detect(iter([data])), "replace")


def _detect(pieces: Iterator[bytes]) -> str:
    head = next(pieces, b"")
    if name := wide_encoding(head[:SAMPLE_BYTES]):
        return name
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    sample, valid, broken = b"", 0, 0
    piece = head
    while piece:
        text = decoder.decode(piece)
        if not piece.isascii():
            wrong = text.count("\ufffd")
            broken += wrong
            valid += len(text) - len(text.encode("ascii", "ignore")) - wrong
            sample += _foreign_lines(piece, SAMPLE_BYTES - len(sample))
        piece = next(pieces, b"")
    if broken * 20 <= valid:  # a few broken bytes do not make a long UTF-8 file anything else
        return _stateful(head) or "utf-8"
    return _declared(head, sample) or _guessed(sample)


def _foreign_lines(piece: bytes, room: int) -> bytes:
    """The lines with bytes above 127, up to `room` bytes: the rest of a text says nothing about its encoding."""
    if room <= 0:
        return b""
    found, size = [], 0
    for line in piece.splitlines(keepends=True):
        if not line.isascii():
            found.append(line)
            size += len(line)
            if size >= room:
                break
    return b"".join(found)[:room]


def _stateful(head: bytes) -> str | None:
    """ISO-2022 and HZ look like ASCII with escapes."""
    sample = head[:SAMPLE_BYTES]
    if b"\x1b" not in sample and b"~{" not in sample:
        return None
    for name in STATEFUL:
        try:
            text = sample.decode(name)
        except UnicodeDecodeError:
            continue
        if not text.isascii():
            return name
    return None


def _declared(head: bytes, sample: bytes) -> str | None:
    found = DECLARED.search(head[:4096])
    if not found:
        return None
    name = found[1].decode().lower()
    name = WIDER.get(name, name)
    try:
        broken = sample.decode(name, "replace").count("\ufffd")
    except (LookupError, UnicodeError):
        return None
    return name if broken * 50 <= len(sample) else None


def _guessed(sample: bytes) -> str:
    """The likeliest of the code pages that give the least noise: alone, the library prefers rare ones too often."""
    matches = list(from_bytes(sample, cp_isolation=list(LIKELIEST)))
    if not matches:
        return "cp1252"
    least = min(match.chaos for match in matches)
    names = {
        name for match in matches if match.chaos <= least for name in (match.encoding, *match.could_be_from_charset)
    }
    name = next((name for name in LIKELIEST if name in names), matches[0].encoding)
    return WIDER.get(name, name)
