"""What type a file is, from its first bytes. The name only decides between kinds of text."""

import re
from pathlib import PurePath

from app.core.errors import UnsupportedType
from app.rag.loaders import DOCX, NAMES, OUTLOOK, PDF
from app.rag.sniff_text import HTML_START, SNIFF_BYTES, is_text, text_type

__all__ = ["SNIFF_BYTES", "media_type", "unsupported"]

ZIP = b"PK\x03\x04"
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
FOREIGN = (
    (b"%!PS", "a PostScript file"),
    (OLE, "an old Office file (.doc, .xls or .ppt)"),
    (b"PK\x05\x06", "an empty ZIP archive"),
    (b"\x89PNG", "a PNG picture"),
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"GIF8", "a GIF picture"),
    (b"II*\0", "a TIFF picture"),
    (b"MM\0*", "a TIFF picture"),
    (b"BM", "a bitmap picture"),
    (b"RIFF", "a sound, film or WebP file"),
    (b"ID3", "a sound file"),
    (b"OggS", "a sound or film file"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"BZh", "a bzip2 archive"),
    (b"\xfd7zXZ", "an xz archive"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"Rar!", "a RAR archive"),
    (b"\x28\xb5\x2f\xfd", "a zstd archive"),
    (b"\x7fELF", "a program"),
    (b"MZ", "a program"),
    (b"SQLite format 3", "an SQLite database"),
)
# The 30 bytes of a ZIP entry's header, then its name: the first one that tells decides.
PACKED = re.compile(rb"PK\x03\x04.{26}(word/|ppt/|xl/|mimetypeapplication/(?:epub|vnd\.oasis))", re.DOTALL)
PACKED_NAMES = {
    b"ppt/": "a PowerPoint file",
    b"xl/": "an Excel file",
    b"mimetypeapplication/epub": "an EPUB book",
    b"mimetypeapplication/vnd.oasis": "an OpenDocument file",
}


def media_type(head: bytes, name: str) -> str:
    """The media type of a file whose first bytes are `head` (SNIFF_BYTES of them suffice).

    Raises UnsupportedType, which says what the file seems to be and lists what can be read.
    """
    suffix = PurePath(name).suffix.lower()
    if _is_pdf(head, suffix):
        return PDF
    if head.startswith(ZIP):
        return _zip_type(head, name, suffix)
    if _is_outlook(head, suffix):
        return OUTLOOK
    foreign = _foreign(head)
    looks_foreign = foreign is not None and (b"\0" in head or head.startswith(b"%!PS"))
    if not looks_foreign and is_text(head, name):
        return text_type(head, name)
    if suffix == ".docx":
        return DOCX  # damaged, or protected by a password: the loader says which
    raise unsupported(name, foreign or "binary data")


def unsupported(name: str, label: str) -> UnsupportedType:
    """The error for a file `name` that is `label`."""
    known = list(dict.fromkeys(NAMES.values()))
    advice = "unpack it and upload the files in it" if "archive" in label else f"supported: {', '.join(known)}"
    return UnsupportedType(f"{name!r} is {label}, which cannot be read; {advice}", details={"supported": known})


def _foreign(head: bytes) -> str | None:
    """What a file is that nobody reads."""
    if head[257:262] == b"ustar":
        return "a tar archive"
    return next((label for magic, label in FOREIGN if head.startswith(magic)), None)


def _is_outlook(head: bytes, suffix: str) -> bool:
    """An OLE file with the streams of a message; its directory may stand after the first bytes."""
    return head.startswith(OLE) and (suffix == ".msg" or "__substg1.0_".encode("utf-16-le") in head)


def _is_pdf(head: bytes, suffix: str) -> bool:
    """Readers accept junk before the header. A file that is only called .pdf is the PDF loader's to refuse."""
    if head.lstrip().startswith(b"%PDF-"):
        return True
    if suffix == ".pdf":
        return not head.startswith((ZIP, *(magic for magic, _ in FOREIGN))) and not HTML_START.match(head)
    return b"%PDF-" in head[:1024] and not is_text(head, suffix)


def _zip_type(head: bytes, name: str, suffix: str) -> str:
    found = PACKED.search(head)
    if found and found[1] in PACKED_NAMES:
        raise unsupported(name, PACKED_NAMES[found[1]])
    if found or suffix == ".docx":
        return DOCX
    raise unsupported(name, "a ZIP archive")
