"""The encoding of a text file: byte order mark, UTF-8, zero bytes, what the file declares, then a guess."""

import codecs
import re
from collections.abc import Iterator
from pathlib import Path

from charset_normalizer import from_bytes

from app.rag.readers.alphabets import PAGES
from app.rag.readers.byte_order import wide_encoding
from app.rag.readers.encoding_guess import guessed_encoding, page_score

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
STATEFUL = ("iso2022_jp", "iso2022_jp_2", "iso2022_kr", "hz")
PAGE_NAMES = {codecs.lookup(page).name: page for page in PAGES}
HOPELESS = 50_000  # breaks: this is no UTF-8, however long it goes on
DOUBTFUL = 0.3  # how much better a guess must read than what a file declares


def detect_encoding(path: Path) -> str:
    """The encoding of a text file, as Python names it. Reads the whole file once, piece by piece."""
    with path.open("rb") as file:
        return _detect(iter(lambda: file.read(PIECE_BYTES), b""))


def decode(data: bytes, *, declared: str | None = None) -> str:
    """The text of `data`; what no encoding explains becomes U+FFFD. `declared`: what its envelope says."""
    name = _detect(iter([data]), _named(declared) if declared else None)
    return data.decode(name, "replace").removeprefix("\ufeff")


def _detect(pieces: Iterator[bytes], declared: str | None = None) -> str:
    head = next(pieces, b"")
    if declared in STATEFUL or declared == "utf-7":
        return declared
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
        if broken > HOPELESS and broken * 4 > valid:
            break
        piece = next(pieces, b"")
    broken += len(decoder.decode(b"", True))
    if broken * 20 <= valid:  # a few broken bytes do not make a long UTF-8 file anything else
        return _stateful(head) or "utf-8"
    declared = declared or _declared(head)
    return declared if declared and _explains(declared, sample) else _guessed(sample)


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


def _declared(head: bytes) -> str | None:
    found = DECLARED.search(head[:4096])
    return _named(found[1].decode()) if found else None


def _named(label: str) -> str | None:
    name = label.strip().strip("\"'").lower()
    try:
        return codecs.lookup(WIDER.get(name, name)).name if b"".decode(WIDER.get(name, name)) == "" else None
    except (LookupError, UnicodeError, ValueError):
        return None


def _explains(name: str, sample: bytes) -> bool:
    """Whether a sample can be what it declares: without breaks, and not gibberish where a guess gives words."""
    if sample.decode(name, "replace").count("\ufffd") * 50 > len(sample):
        return False
    page, guess = PAGE_NAMES.get(name), guessed_encoding(sample)
    if guess is None or guess == page or (page is None and guess not in PAGES):
        return True
    better = page_score(sample, guess) if guess in PAGES else 1.0
    return (page_score(sample, page) if page else DOUBTFUL) > better - DOUBTFUL


def _guessed(sample: bytes) -> str:
    """Where no alphabet that is known here fits, a general detector is asked."""
    if name := guessed_encoding(sample):
        return name
    found = from_bytes(sample).best()
    return WIDER.get(found.encoding, found.encoding) if found is not None else "cp1252"
