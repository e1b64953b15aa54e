"""What type a file is, from its first bytes. The name only decides between kinds of text."""

import codecs
import re
from pathlib import Path, PurePath

from app.core.errors import UnsupportedType
from app.rag.containers import OLE, OLE_FILE, PACKED, SUFFIXES, ZIP, container, packed_type
from app.rag.loaders import HTML, MARKDOWN, NAMES, PDF, PLAIN
from app.rag.readers.byte_order import wide_encoding

SNIFF_BYTES = 8192
MARKDOWN_SUFFIXES = {".md", ".markdown", ".mdown", ".mkd", ".mkdn"}
HTML_SUFFIXES = {".html", ".htm", ".xhtml", ".xht", ".shtml"}
TEXT_SUFFIXES = MARKDOWN_SUFFIXES | HTML_SUFFIXES | {".txt", ".text", ".log", ".csv", ".tsv", ".json", ".xml"}
HTML_START = re.compile(
    rb"\s*(?:<\?xml[^>]*>\s*)?(?:(?><!--.*?-->)\s*)*+<(?:!doctype\s+html|html|head|body)\b", re.IGNORECASE | re.DOTALL
)
UNPACK = "unpack it and upload the files in it"
FOREIGN = (
    (b"{\\rtf", "an RTF document"),
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
    (b"\x1f\x8b", f"a gzip archive; {UNPACK}"),
    (b"BZh", f"a bzip2 archive; {UNPACK}"),
    (b"\xfd7zXZ", f"an xz archive; {UNPACK}"),
    (b"7z\xbc\xaf\x27\x1c", f"a 7z archive; {UNPACK}"),
    (b"Rar!", f"a RAR archive; {UNPACK}"),
    (b"\x28\xb5\x2f\xfd", f"a zstd archive; {UNPACK}"),
    (b"\x7fELF", "a program"),
    (b"MZ", "a program"),
    (b"SQLite format 3", "an SQLite database"),
)
UNDECIDED = {PACKED: f"a ZIP archive; {UNPACK}", OLE_FILE: "an Office file of an unknown kind"}
CONTROL = bytes([*range(9), *range(14, 27), *range(28, 32), 127])


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
    foreign = next((label for magic, label in FOREIGN if head.startswith(magic)), None)
    looks_foreign = foreign is not None and (b"\0" in head or head.startswith((b"{\\rtf", b"%!PS")))
    if not looks_foreign and _is_text(head, suffix):
        return _text_type(head, suffix)
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
    known = list(NAMES.values())
    return UnsupportedType(
        f"{name!r} cannot be read: it is {label}. Supported: {', '.join(known)}", details={"supported": known}
    )


def _is_pdf(head: bytes, suffix: str) -> bool:
    """Readers accept junk before the header. A file that is only called .pdf is the PDF loader's to refuse."""
    if head.lstrip().startswith(b"%PDF-"):
        return True
    if suffix == ".pdf":
        return not head.startswith((ZIP, OLE, *(magic for magic, _ in FOREIGN))) and not HTML_START.match(head)
    return b"%PDF-" in head[:1024] and not _is_text(head, suffix)


def _text_type(head: bytes, suffix: str) -> str:
    if wide := wide_encoding(head):
        head = head.decode(wide, "ignore").encode()
    if HTML_START.match(head.removeprefix(codecs.BOM_UTF8)) or suffix in HTML_SUFFIXES:
        return HTML
    return MARKDOWN if suffix in MARKDOWN_SUFFIXES else PLAIN


def _is_text(head: bytes, suffix: str) -> bool:
    """Text has next to no control characters. In valid UTF-8 some are tolerated: the loader removes them."""
    if head.startswith((codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or wide_encoding(head):
        return True
    control = len(head) - len(head.translate(None, CONTROL))
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return control * 100 <= len(head)
    return control * (3 if suffix in TEXT_SUFFIXES else 10) <= len(head)
