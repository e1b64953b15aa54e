"""What a ZIP archive or OLE file holds: office documents are packed in one of the two.

The first bytes tell most of the time; else the directory does, which ZIP has at its end and OLE anywhere. What is
read of a file is bounded, since this runs in the service's own process: 1 MB of names, 64 KB of an entry.
"""

import re
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

from app.rag.loaders import DOC, DOCX, EPUB, ODP, ODS, ODT, OUTLOOK, PPT, PPTX, XLS, XLSB, XLSX

ZIP = b"PK\x03\x04"
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
PACKED = "application/zip"  # which type it is, the directory tells
OLE_FILE = "application/x-ole-storage"

DIRECTORY_BYTES = 1 << 20
ENTRY_BYTES = 1 << 16
TAIL_BYTES = (1 << 16) + 22  # the end record and the longest comment
LAST_SECTOR = 0xFFFFFFF9  # of an OLE file; higher numbers mean "none"
MAX_MORE_SECTORS = 256  # 2 GB
LOCAL = struct.Struct("<4s2xHHxxxx4xIIHH")
CENTRAL = struct.Struct("<4s4xHH4x4xIIHHH8xI")
END = struct.Struct("<4s8xII2x")
# Of the main part, in [Content_Types].xml.
MAIN = re.compile(
    rb"(wordprocessingml\.(?:document|template)|ms-word\.(?:document|template)\.macroEnabled(?:Template)?"
    rb"|presentationml\.(?:presentation|template|slideshow)|ms-powerpoint\.\w+\.macroEnabled"
    rb"|spreadsheetml\.(?:sheet|template)|ms-excel\.(?:sheet|template)\.macroEnabled"
    rb"|ms-excel\.sheet\.binary\.macroEnabled)\.main",
    re.IGNORECASE,
)
MIMETYPE = re.compile(
    rb"application/(epub\+zip|vnd\.(?:oasis\.opendocument|sun\.xml)\.(?:text|spreadsheet|presentation|graphics|writer"
    rb"|calc|impress|draw))"
)
KINDS = (
    *((b"binary", XLSB), (b"word", DOCX), (b"presentationml", PPTX), (b"powerpoint", PPTX), (b"excel", XLSX)),
    *((b"spreadsheetml", XLSX), (b"epub", EPUB), (b"text", ODT), (b"writer", ODT), (b"spreadsheet", ODS)),
    *((b"calc", ODS), (b"presentation", ODP), (b"graphics", ODP), (b"impress", ODP), (b"draw", ODP)),
)
TELLING = {b"[Content_Types].xml": MAIN, b"mimetype": MIMETYPE, b"META-INF/manifest.xml": MIMETYPE}
NAMED = (
    *((b"word/document.xml", DOCX), (b"ppt/presentation.xml", PPTX), (b"xl/workbook.bin", XLSB)),
    *((b"xl/workbook.xml", XLSX), (b"META-INF/container.xml", EPUB)),
)
STREAMS = (
    *(("WordDocument", DOC), ("PowerPoint Document", PPT), ("Workbook", XLS), ("Book", XLS)),
    ("__properties_version1.0", OUTLOOK),
)
LOCKED = ("EncryptedPackage", "EncryptionInfo", "\x06DataSpaces", "\tDRMContent", "DataSpaces")
SUFFIXES = {
    ".docx": DOCX, ".docm": DOCX, ".dotx": DOCX, ".pptx": PPTX, ".pptm": PPTX, ".ppsx": PPTX, ".potx": PPTX,
    ".xlsx": XLSX, ".xlsm": XLSX, ".xltx": XLSX, ".xlsb": XLSB, ".odt": ODT, ".ods": ODS, ".odp": ODP, ".epub": EPUB,
    ".doc": DOC, ".dot": DOC, ".xls": XLS, ".ppt": PPT, ".pps": PPT, ".msg": OUTLOOK,
}  # fmt: skip


class _Entry(NamedTuple):
    name: bytes
    start: int  # of its local header


class _Stream(NamedTuple):
    """Numbers of other entries: its neighbours in the same storage, and the first one in it."""

    name: str
    before: int
    after: int
    child: int


def container(head: bytes) -> str | None:
    """PACKED, OLE_FILE, or the type when the first bytes of a ZIP archive tell. None: neither."""
    if head.startswith(OLE):
        return OLE_FILE
    if not head.startswith(ZIP):
        return None
    at = 0
    while head.startswith(ZIP, at) and at + LOCAL.size <= len(head):
        _, flags, _, packed, _, name_bytes, extra = LOCAL.unpack_from(head, at)
        telling = TELLING.get(head[at + 30 : at + 30 + name_bytes])
        if telling is not None and (kind := _kind(telling, _content(head[at:]))):
            return kind
        if flags & 8 and not packed:
            break  # its size stands behind it
        at += 30 + name_bytes + extra + packed
    return PACKED


def packed_type(path: Path, suffix: str) -> str | None:
    """The type of the stored file `path`, which is PACKED or an OLE_FILE. None: nothing that can be read.

    A file that is damaged or locked is of the type that its name says: its loader gives the reason.
    """
    with path.open("rb") as file:
        if file.read(8).startswith(OLE):
            names = _top_names(list(_streams(file)))
            if names.intersection(LOCKED):
                return SUFFIXES.get(suffix, DOCX)
            kind = next((kind for name, kind in STREAMS if name in names), None)
        else:
            kind = _zip_kind(file)
    return kind or SUFFIXES.get(suffix)


def _zip_kind(file: BinaryIO) -> str | None:
    entries = {entry.name: entry for entry in _entries(file)}
    for name, telling in TELLING.items():
        if name in entries:
            file.seek(entries[name].start)
            if kind := _kind(telling, _content(file.read(ENTRY_BYTES))):
                return kind
    return next((kind for name, kind in NAMED if name in entries), None)


def _entries(file: BinaryIO) -> Iterator[_Entry]:
    """The central directory, as far as it is read. Archives over 4 GB have another one, which is not."""
    size = file.seek(0, 2)
    file.seek(max(0, size - TAIL_BYTES))
    tail = file.read(TAIL_BYTES)
    position = tail.rfind(b"PK\x05\x06")
    if position < 0 or position + END.size > len(tail):
        return
    _, directory_bytes, offset = END.unpack_from(tail, position)
    start = size - len(tail) + position - directory_bytes  # right even when something stands before the archive
    if start < 0:
        return
    file.seek(start)
    directory = file.read(min(directory_bytes, DIRECTORY_BYTES))
    at = 0
    while at + CENTRAL.size <= len(directory):
        magic, *_, name_bytes, extra, comment, local = CENTRAL.unpack_from(directory, at)
        if magic != b"PK\x01\x02":
            return
        yield _Entry(directory[at + 46 : at + 46 + name_bytes], local + start - offset)
        at += 46 + name_bytes + extra + comment


def _content(data: bytes) -> bytes:
    """What an entry holds, as far as `data`, which begins with its local header, gives it."""
    if len(data) < LOCAL.size or not data.startswith(ZIP):
        return b""
    _, flags, method, packed, _, name_bytes, extra = LOCAL.unpack_from(data)
    body = data[30 + name_bytes + extra :]
    if method == 0:
        return body[:packed] if packed and not flags & 8 else body[:ENTRY_BYTES]
    if method != zlib.DEFLATED:
        return b""
    try:
        return zlib.decompressobj(-zlib.MAX_WBITS).decompress(body, ENTRY_BYTES)
    except zlib.error:
        return b""


def _kind(telling: re.Pattern[bytes], content: bytes) -> str | None:
    found = telling.search(content)
    return next((kind for word, kind in KINDS if found is not None and word in found[1].lower()), None)


def _top_names(streams: list[_Stream]) -> set[str]:
    """Those directly below the root: an embedded document has its streams further down."""
    names: set[str] = set()
    seen: set[int] = set()
    left = [streams[0].child] if streams else []
    while left:
        number = left.pop()
        if number < len(streams) and number not in seen:
            seen.add(number)
            names.add(streams[number].name)
            left += (streams[number].before, streams[number].after)
    return names


def _streams(file: BinaryIO) -> Iterator[_Stream]:
    """The directory of an OLE file (MS-CFB 2.6), at most 8,192 entries of it."""
    file.seek(0)
    header = file.read(512)
    if len(header) < 512:
        return
    shift = struct.unpack_from("<H", header, 30)[0]
    if shift not in {9, 12}:
        return
    fat = list(_fat(file, header, shift))
    sector: int = struct.unpack_from("<I", header, 48)[0]
    for _ in range(DIRECTORY_BYTES >> shift):
        if sector > LAST_SECTOR:
            return
        data = _at(file, (sector + 1) << shift, 1 << shift)
        for start in range(0, len(data) - 127, 128):
            (length,) = struct.unpack_from("<H", data, start + 64)
            name = data[start : start + min(max(length - 2, 0), 62)].decode("utf-16-le", "replace")
            yield _Stream(name, *struct.unpack_from("<3I", data, start + 68))
        table, index = divmod(sector, 1 << (shift - 2))
        following = _at(file, ((fat[table] + 1) << shift) + index * 4, 4) if table < len(fat) else b""
        if len(following) < 4:
            return
        (sector,) = struct.unpack("<I", following)


def _fat(file: BinaryIO, header: bytes, shift: int) -> Iterator[int]:
    """The sectors that say which sector follows which."""
    yield from (sector for sector in struct.unpack_from("<109I", header, 76) if sector <= LAST_SECTOR)
    (more,) = struct.unpack_from("<I", header, 68)
    for _ in range(MAX_MORE_SECTORS):
        if more > LAST_SECTOR:
            return
        data = _at(file, (more + 1) << shift, 1 << shift)
        if len(data) < 1 << shift:
            return
        *sectors, more = struct.unpack(f"<{1 << (shift - 2)}I", data)
        yield from (sector for sector in sectors if sector <= LAST_SECTOR)


def _at(file: BinaryIO, position: int, size: int) -> bytes:
    file.seek(position)
    return file.read(size)
