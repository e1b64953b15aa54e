"""What type a file is, from its first bytes. The name only decides between kinds of text."""

from pathlib import Path, PurePath

from app.core.errors import UnsupportedType
from app.rag.containers import OLE, OLE_FILE, PACKED, SUFFIXES, ZIP, container, packed_type
from app.rag.loaders import NAMES, PDF
from app.rag.sniff_text import HTML_START, SNIFF_BYTES, is_text, text_type

__all__ = ["SNIFF_BYTES", "media_type", "stored_type", "unsupported"]

FOREIGN = (
    (b"%!PS", "a PostScript file"),
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
UNDECIDED = {PACKED: "a ZIP archive", OLE_FILE: "an Office file of an unknown kind"}


def media_type(head: bytes, name: str) -> str:
    """The media type of a file whose first bytes are `head` (SNIFF_BYTES of them suffice), PACKED or OLE_FILE: then
    `stored_type` tells more.

    Raises UnsupportedType, which says what the file seems to be and lists what can be read.
    """
    suffix = PurePath(name).suffix.lower()
    if _is_pdf(head, suffix):
        return PDF
    if (packed := container(head)) is not None:
        return packed
    foreign = _foreign(head)
    looks_foreign = foreign is not None and (b"\0" in head or head.startswith(b"%!PS"))
    if not looks_foreign and is_text(head, name):
        return text_type(head, name)
    if suffix in SUFFIXES and foreign is None:
        return SUFFIXES[suffix]  # damaged: the loader says how
    raise unsupported(name, foreign or "binary data")


def stored_type(found: str, path: Path, name: str) -> str:
    """What the stored file `path` is, when its first bytes only gave PACKED or OLE_FILE. Raises UnsupportedType."""
    if found not in UNDECIDED:
        return found
    kind = packed_type(path, PurePath(name).suffix.lower())
    if kind is None:
        raise unsupported(name, UNDECIDED[found])
    return kind


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


def _is_pdf(head: bytes, suffix: str) -> bool:
    """Readers accept junk before the header. A file that is only called .pdf is the PDF loader's to refuse."""
    if head.lstrip().startswith(b"%PDF-"):
        return True
    if suffix == ".pdf":
        return not head.startswith((ZIP, OLE, *(magic for magic, _ in FOREIGN))) and not HTML_START.match(head)
    return b"%PDF-" in head[:1024] and not is_text(head, suffix)
