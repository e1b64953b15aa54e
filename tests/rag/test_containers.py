import io
import struct
import zipfile
from pathlib import Path

import pytest

from app.core.errors import UnsupportedType
from app.rag.loaders import DOC, DOCX, EPUB, NAMES, ODP, ODS, ODT, OUTLOOK, PPT, PPTX, XLS, XLSB, XLSX
from app.rag.sniff import SNIFF_BYTES, media_type, stored_type
from tests import documents, office
from tests.documents import zip_of
from tests.ole import ole

TYPES = '<Types><Override PartName="/a" ContentType="application/vnd.{}+xml"/></Types>'
PICTURE = bytes(range(256)) * 64  # longer than what the first bytes show


def typed(content_type: str, *, before: bytes = b"") -> bytes:
    """An archive whose [Content_Types].xml is packed and maybe not among the first bytes."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        if before:
            archive.writestr("docProps/thumbnail.jpeg", before)
        archive.writestr("[Content_Types].xml", TYPES.format(content_type), zipfile.ZIP_DEFLATED)
    return out.getvalue()


def type_of(folder: Path, data: bytes, name: str) -> str:
    path = folder / "stored"
    path.write_bytes(data)
    return stored_type(media_type(data[:SNIFF_BYTES], name), path, name)


MAIN = [
    ("openxmlformats-officedocument.wordprocessingml.document.main", DOCX),
    ("ms-word.document.macroEnabled.main", DOCX),
    ("ms-word.template.macroEnabledTemplate.main", DOCX),
    ("openxmlformats-officedocument.presentationml.slideshow.main", PPTX),
    ("ms-powerpoint.presentation.macroEnabled.main", PPTX),
    ("openxmlformats-officedocument.spreadsheetml.template.main", XLSX),
    ("ms-excel.sheet.macroEnabled.main", XLSX),
    ("ms-excel.sheet.binary.macroEnabled.main", XLSB),
]


@pytest.mark.parametrize(("content_type", "expected"), MAIN)
@pytest.mark.parametrize("before", [b"", PICTURE])
def test_the_main_part_decides(tmp_path: Path, content_type: str, expected: str, before: bytes) -> None:
    data = typed(content_type, before=before)
    assert (media_type(data[:SNIFF_BYTES], "x.zip") == expected) is (before == b"")
    assert type_of(tmp_path, data, "x.zip") == expected


@pytest.mark.parametrize(
    ("data", "name", "expected"),
    [
        (documents.docx(documents.paragraph("x")), "a.zip", DOCX),
        (office.pptx([office.slide()]), "a.xlsx", PPTX),
        (b"junk before" + zip_of({"word/document.xml": b""}), "a", None),
        (zip_of({"mimetype": b"application/vnd.oasis.opendocument.text-template\n"}), "a", ODT),
        (zip_of({"mimetype": b"application/vnd.oasis.opendocument.spreadsheet"}), "a", ODS),
        (zip_of({"mimetype": b"application/vnd.oasis.opendocument.graphics"}), "a", ODP),
        (zip_of({"mimetype": b"application/vnd.sun.xml.impress"}), "a", ODP),
        (zip_of({"p": PICTURE, "mimetype": b"application/epub+zip"}), "a", EPUB),
        (zip_of({"META-INF/container.xml": b""}), "a", EPUB),
        (zip_of({"META-INF/manifest.xml": b"<m full-path='/' 'application/vnd.oasis.opendocument.text'/>"}), "a", ODT),
        (zip_of({"xl/workbook.bin": b""}), "a", XLSB),
        (zip_of({"a.docx": documents.docx(documents.paragraph("x"))}), "all.zip", None),
        (zip_of({"word/notes.txt": b"a"}), "all.zip", None),
        (zip_of({"a.txt": b"a"}), "damaged.pptx", PPTX),
        (typed("openxmlformats-officedocument.presentationml.presentation.main")[:165], "cut.bin", PPTX),
        (zip_of({"ppt/a": PICTURE})[:900], "cut.pptx", PPTX),
        (office.doc("x"), "a.xls", DOC),
        (office.ppt([]), "a.doc", PPT),
        (office.xls({"A": []}), "a.doc", XLS),
        (ole({"__properties_version1.0": b"x"}), "a", OUTLOOK),
        (ole({"EncryptionInfo": b"x", "EncryptedPackage": b"x"}), "a.xlsx", XLSX),
        (ole({"EncryptedPackage": b"x"}), "a", DOCX),
        (ole({"VisioDocument": b"x"}), "a.vsd", None),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\xff" * 900, "a.doc", DOC),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\xff" * 900, "a", None),
    ],
)
def test_what_is_stored_decides(tmp_path: Path, data: bytes, name: str, expected: str | None) -> None:
    if expected is not None:
        assert type_of(tmp_path, data, name) == expected
        return
    with pytest.raises(UnsupportedType) as caught:
        type_of(tmp_path, data, name)
    known = [*NAMES.values(), "unpack it and upload the files in it"]
    assert any(word in caught.value.message for word in known)


def test_a_directory_that_follows_itself_ends(tmp_path: Path) -> None:
    data = bytearray(office.doc("x" * 20_000))
    struct.pack_into("<I", data, 512 + 4 * 1, 1)
    assert type_of(tmp_path, bytes(data), "a") == DOC


def test_streams_of_embedded_documents_do_not_count(tmp_path: Path) -> None:
    data = ole({"MBD0001": {"WordDocument": b"x", "EncryptedPackage": b"y"}, "Workbook": b"z"})
    assert type_of(tmp_path, data, "a") == XLS
