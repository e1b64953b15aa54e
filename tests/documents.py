"""Documents that the tests write themselves: PDF and Word files, good and hostile, each a few lines."""

import io
import zipfile
import zlib
from collections.abc import Iterable, Sequence

import pypdfium2 as pdfium
from pypdf import PdfReader, PdfWriter

W = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
STRICT = 'xmlns:w="http://purl.oclc.org/ooxml/wordprocessingml/main"'
R = 'xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"'
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
FONT = b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>"


def pdf_of(objects: Sequence[bytes], *, before: bytes = b"") -> bytes:
    """A PDF file of numbered objects, the first being the catalog. `before` is junk before the header."""
    out = io.BytesIO()
    out.write(before + b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n")
    offsets = []
    for number, body in enumerate(objects, 1):
        offsets.append(out.tell())
        out.write(b"%d 0 obj\n%b\nendobj\n" % (number, body))
    start = out.tell()
    rows = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    size = len(objects) + 1
    out.write(b"xref\n0 %d\n0000000000 65535 f \n%b" % (size, rows))
    out.write(b"trailer\n<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n" % (size, start))
    return out.getvalue()


def stream(data: bytes, entries: bytes = b"") -> bytes:
    return b"<</Length %d%b>>stream\n%b\nendstream" % (len(data), entries, data)


def pdf(
    contents: Iterable[bytes], *, resources: bytes = b"", extra: Sequence[bytes] = (), before: bytes = b""
) -> bytes:
    """One page for each content stream; the font is /F. `extra` are objects from number 4 on."""
    first = 4 + len(extra)
    pages, bodies = [], []
    for content in contents:
        number = first + len(bodies)
        pages.append(b"%d 0 R" % number)
        bodies += [
            b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Contents %d 0 R/Resources<</Font<</F 3 0 R>>%b>>>>"
            % (number + 1, resources),
            stream(zlib.compress(content), b"/Filter/FlateDecode"),
        ]
    tree = b"<</Type/Pages/Kids[%b]/Count %d>>" % (b" ".join(pages), len(pages))
    return pdf_of([b"<</Type/Catalog/Pages 2 0 R>>", tree, FONT, *extra, *bodies], before=before)


def page_content(text: str) -> bytes:
    """A content stream that shows `text`, line by line."""
    escaped = text.encode("cp1252").replace(b"\\", b"\\\\").replace(b"(", b"\\(").replace(b")", b"\\)")
    shown = b"".join(b"(%b) Tj T*\n" % line for line in escaped.split(b"\n"))
    return b"BT /F 11 Tf 14 TL 72 720 Td\n" + shown + b"ET"


def text_pdf(pages: Sequence[str], *, before: bytes = b"") -> bytes:
    return pdf([page_content(page) for page in pages], before=before)


def scanned_pdf(pages: int = 2) -> bytes:
    """Pages that are nothing but a grey picture."""
    image = stream(b"\x80", b"/Type/XObject/Subtype/Image/Width 1/Height 1/BitsPerComponent 8/ColorSpace/DeviceGray")
    return pdf([b"q 612 0 0 792 0 0 cm /I Do Q"] * pages, resources=b"/XObject<</I 4 0 R>>", extra=[image])


def photographed_pdf(pages: Sequence[str]) -> bytes:
    """Pages of text as a scanner gives them: one grey picture each, at 216 dpi."""
    images = []
    for page in pdfium.PdfDocument(text_pdf(pages)):
        grey = page.render(scale=3, grayscale=True).to_numpy()
        height, width = grey.shape[:2]
        size = f"/Width {width}/Height {height}".encode()
        kind = b"/Type/XObject/Subtype/Image/BitsPerComponent 8/ColorSpace/DeviceGray/Filter/FlateDecode" + size
        images.append(stream(zlib.compress(grey.tobytes()), kind))
    names = b"".join(b"/I%d %d 0 R" % (n, n + 4) for n in range(len(images)))
    draw = [b"q 612 0 0 792 0 0 cm /I%d Do Q" % n for n in range(len(images))]
    return pdf(draw, resources=b"/XObject<<" + names + b">>", extra=images)


def hidden_text_pdf() -> bytes:
    """Forty words drawn over each other: PDFium takes them for one, pypdf reads them all."""
    return pdf([b"BT /F 9 Tf (word) Tj ET\n" * 40])


def bomb_pdf(megabytes: int) -> bytes:
    """A page whose content unpacks to so many megabytes of zero bytes."""
    packer = zlib.compressobj(9)
    packed = b"".join(packer.compress(bytes(1 << 20)) for _ in range(megabytes)) + packer.flush()
    return pdf_of([
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]/Contents 4 0 R>>",
        stream(packed, b"/Filter/FlateDecode"),
    ])  # fmt: skip


def encrypted_pdf(pages: Sequence[str], *, password: str) -> bytes:
    """Encrypted with AES-256; an empty user password lets every reader in."""
    writer = PdfWriter(clone_from=PdfReader(io.BytesIO(text_pdf(pages))))
    writer.encrypt(user_password=password, owner_password="owner", algorithm="AES-256")
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


def paragraph(text: str, properties: str = "") -> str:
    return f'<w:p><w:pPr>{properties}</w:pPr><w:r><w:t xml:space="preserve">{text}</w:t></w:r></w:p>'


def docx(
    body: str | Iterable[str], *, namespace: str = W, doctype: str = "", parts: dict[str, tuple[str, str]] | None = None
) -> bytes:
    """A Word file. `parts`: name in word/ -> (relationship type, content); a part's relationship id is its name."""
    out = io.BytesIO()
    relation = '<Relationship Id="{}" Type="{}/{}" Target="{}"/>'
    relations = '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">{}</Relationships>'
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        main = relation.format("r1", OFFICE, "officeDocument", "word/document.xml")
        archive.writestr("_rels/.rels", relations.format(main))
        with archive.open("word/document.xml", "w") as file:
            file.write(f'<?xml version="1.0"?>{doctype}<w:document {namespace} {R}><w:body>'.encode())
            for piece in [body] if isinstance(body, str) else body:
                file.write(piece.encode())
            file.write(b"</w:body></w:document>")
        found = [relation.format(name, OFFICE, kind, name) for name, (kind, _) in (parts or {}).items()]
        archive.writestr("word/_rels/document.xml.rels", relations.format("".join(found)))
        for name, (_, content) in (parts or {}).items():
            archive.writestr(f"word/{name}", content)
    return out.getvalue()


def zip_of(entries: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, data in entries.items():
            archive.writestr(name, data)
    return out.getvalue()
