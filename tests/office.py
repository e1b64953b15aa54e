"""Office files that the tests write themselves: packed ones as ZIP archives of a few parts, old ones as OLE files."""

import struct
from array import array
from collections.abc import Mapping, Sequence

from tests.documents import OFFICE, zip_of
from tests.ole import ole

SECTOR = 512
RELATIONS = '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">{}</Relationships>'


def relations(related: Mapping[str, tuple[str, str]]) -> bytes:
    """By id: the kind of a relation and its target."""
    rows = (f'<Relationship Id="{i}" Type="{OFFICE}/{kind}" Target="{to}"/>' for i, (kind, to) in related.items())
    return RELATIONS.format("".join(rows)).encode()


def pptx(slides: Sequence[str], *, parts: Mapping[str, tuple[str, str]] | None = None) -> bytes:
    """`parts`: name in ppt/slides/ -> (relation, content); each slide is related to all, by their names."""
    shown = "".join(f'<p:sldId id="{256 + n}" r:id="s{n}"/>' for n in range(len(slides)))
    others = {name: (kind, name) for name, (kind, _) in (parts or {}).items()}
    files = {
        "_rels/.rels": relations({"r": ("officeDocument", "ppt/presentation.xml")}),
        "ppt/presentation.xml": f'<p:presentation xmlns:p="p" xmlns:r="r">{shown}</p:presentation>'.encode(),
        "ppt/_rels/presentation.xml.rels": relations(
            {f"s{n}": ("slide", f"slides/s{n}.xml") for n in range(len(slides))}
        ),
    }
    for number, slide in enumerate(slides):
        files[f"ppt/slides/s{number}.xml"] = slide.encode()
        files[f"ppt/slides/_rels/s{number}.xml.rels"] = relations(others)
    return zip_of(files | {f"ppt/slides/{name}": content.encode() for name, (_, content) in (parts or {}).items()})


def slide(*shapes: str, attributes: str = "") -> str:
    return f'<p:sld xmlns:p="p" xmlns:a="a" xmlns:r="r" xmlns:c="c" xmlns:d="d" {attributes}>{"".join(shapes)}</p:sld>'


def shape(*paragraphs: str, kind: str | None = None) -> str:
    """`kind` of the placeholder that it fills."""
    place = f'<p:nvSpPr><p:nvPr><p:ph type="{kind}"/></p:nvPr></p:nvSpPr>' if kind else ""
    texts = "".join(f"<a:p><a:r><a:t>{text}</a:t></a:r></a:p>" for text in paragraphs)
    return f"<p:sp>{place}<p:txBody>{texts}</p:txBody></p:sp>"


def xlsx(
    sheets: Mapping[str, str], *, strings: Sequence[str] = (), styles: str = "", book: str = "", states: str = ""
) -> bytes:
    """`sheets`: name -> what stands in <worksheet>. `states`: the state of the last one."""
    names = list(sheets)
    rows = [f'<sheet name="{name}" r:id="s{n}"/>' for n, name in enumerate(names)]
    rows[-1] = rows[-1].replace("<sheet ", f'<sheet state="{states}" ') if states else rows[-1]
    related = {f"s{n}": ("worksheet", f"worksheets/s{n}.xml") for n in range(len(names))}
    related |= {"t": ("sharedStrings", "strings.xml"), "y": ("styles", "styles.xml")}
    files = {
        "_rels/.rels": relations({"r": ("officeDocument", "/xl/workbook.xml")}),
        "xl/workbook.xml": f'<workbook xmlns:r="r">{book}<sheets>{"".join(rows)}</sheets></workbook>'.encode(),
        "xl/_rels/workbook.xml.rels": relations(related),
        "xl/strings.xml": f"<sst>{''.join(strings)}</sst>".encode(),
        "xl/styles.xml": f"<styleSheet>{styles}</styleSheet>".encode(),
    }
    for number, content in enumerate(sheets.values()):
        files[f"xl/worksheets/s{number}.xml"] = f"<worksheet>{content}</worksheet>".encode()
    return zip_of(files)


def cells(rows: Mapping[str, str | float | bool]) -> str:
    """<sheetData> of cells by reference, row by row."""
    out, last = [], ""
    for reference, value in rows.items():
        number = reference.lstrip("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
        if number != last:
            out.append(f'{"</row>" if last else ""}<row r="{number}">')
            last = number
        if isinstance(value, bool):
            out.append(f'<c r="{reference}" t="b"><v>{int(value)}</v></c>')
        elif isinstance(value, str):
            out.append(f'<c r="{reference}" t="inlineStr"><is><t>{value}</t></is></c>')
        else:
            out.append(f'<c r="{reference}"><v>{value}</v></c>')
    return f"<sheetData>{''.join(out)}</row></sheetData>"


ODF = (
    'xmlns:office="o" xmlns:text="t" xmlns:table="b" xmlns:draw="d" xmlns:style="s" xmlns:fo="f" xmlns:xlink="l" '
    'xmlns:presentation="p" xmlns:math="m" xmlns:chart="c" xmlns:dc="dc"'
)


def odf(body: str, *, kind: str = "text", styles: str = "", parts: Mapping[str, str] | None = None) -> bytes:
    """An OpenDocument file with this content.xml; `parts` are other files in it."""
    content = f"<office:document-content {ODF}><office:automatic-styles>{styles}</office:automatic-styles>{body}"
    files = {
        "mimetype": f"application/vnd.oasis.opendocument.{kind}".encode(),
        "content.xml": f"{content}</office:document-content>".encode(),
    }
    return zip_of(files | {name: text.encode() for name, text in (parts or {}).items()})


def epub(chapters: Mapping[str, str], *, contents: str = "", parts: Mapping[str, str] | None = None) -> bytes:
    """`chapters`: file name -> markup, in reading order. `contents`: the table of contents (nav.xhtml)."""
    items = "".join(f'<item id="i{n}" href="{f}" media-type="text/html"/>' for n, f in enumerate(chapters))
    order = "".join(f'<itemref idref="i{n}"/>' for n in range(len(chapters)))
    nav = '<item id="nav" properties="nav" href="nav.xhtml" media-type="application/xhtml+xml"/>'
    files = {
        "mimetype": "application/epub+zip",
        "META-INF/container.xml": '<container><rootfile full-path="OEBPS/book.opf"/></container>',
        "OEBPS/book.opf": f"<package><manifest>{nav}{items}</manifest><spine>{order}</spine></package>",
        "OEBPS/nav.xhtml": f"<!DOCTYPE html><html>{contents}</html>",
        **{f"OEBPS/{name}": markup for name, markup in chapters.items()},
        **(parts or {}),
    }
    return zip_of({name: text.encode() for name, text in files.items()})


def doc(
    text: str,
    *,
    narrow: bool = False,
    flags: int = 0,
    after: Mapping[int, str] | None = None,
    marks: Sequence[bytes] = (),
) -> bytes:
    """A Word 97 file. `after`: what follows the text, by the place of its length (1: footnotes, 4: comments).
    `marks`: what each paragraph says of itself (a style's number and changes)."""
    others = dict(after or {})
    whole = text + "".join(others.values())
    body = whole.encode("cp1252") if narrow else array("H", map(ord, whole)).tobytes()
    start, width = 2048, 1 if narrow else 2
    place = start * 2 | 0x40000000 if narrow else start
    piece = struct.pack("<IIHIH", 0, len(whole), 0, place, 0)
    table = b"\x02" + struct.pack("<I", len(piece)) + piece
    header = bytearray(start)
    struct.pack_into("<HH2xH2xH", header, 0, 0xA5EC, 0xC1, 0x0409, flags)
    struct.pack_into("<8i", header, 0x4C, len(text), *(len(others.get(n, "")) for n in range(1, 8)))
    struct.pack_into("<II", header, 0x1A2, 0, len(table))
    if marks:
        page = len(header) + len(body)
        page = -(-page // SECTOR)
        struct.pack_into("<II", header, 0x102, len(table), 12)
        table += struct.pack("<III", start, start + len(body), page)
        body = body.ljust(page * SECTOR - len(header), b"\0") + _marks_page(text, start, width, marks)
    return ole({"WordDocument": bytes(header) + body, "0Table": table})


def _marks_page(text: str, start: int, width: int, marks: Sequence[bytes]) -> bytes:
    ends = [number + 1 for number, letter in enumerate(text) if letter in "\r\x07\x0c"][: len(marks)]
    places = [start, *(start + end * width for end in ends)]
    page = bytearray(SECTOR)
    struct.pack_into(f"<{len(places)}I", page, 0, *places)
    at = SECTOR - 2
    for number, mark in enumerate(marks):
        said = mark + b"\0" * (1 - len(mark) % 2)
        at -= len(said) + 1 + (len(said) + 1) % 2
        page[at] = (len(said) + 1) // 2
        page[at + 1 : at + 1 + len(said)] = said
        page[4 * len(places) + 13 * number] = at // 2
    page[-1] = len(marks)
    return bytes(page)


def record(kind: int, body: bytes | Sequence[bytes], instance: int = 0) -> bytes:
    """A record of an old PowerPoint file; one of records is a container."""
    inner = body if isinstance(body, bytes) else b"".join(body)
    return struct.pack("<HHI", instance << 4 | (0 if isinstance(body, bytes) else 15), kind, len(inner)) + inner


def ppt(slides: Sequence[tuple[Sequence[tuple[int, str]], Sequence[bytes]]], *, token: int = 0xE391C05F) -> bytes:
    """Each slide: the texts of its outline (kind, text), and the records of its drawing."""
    stream, places, listed = b"", [], []
    for number, (texts, drawing) in enumerate(slides):
        places.append(len(stream))
        stream += record(0x03EE, [record(0x040C, [record(0xF002, drawing)])])
        listed.append(record(0x03F3, struct.pack("<5I", number + 2, 0, 0, 256 + number, 0)))
        for kind, text in texts:
            listed += [record(0x0F9F, struct.pack("<I", kind)), record(0x0FA0, text.encode("utf-16-le"))]
    document = len(stream)
    stream += record(0x03E8, [record(0x0FF0, listed)])
    directory = len(stream)
    entries = [document, *places]
    stream += record(0x1772, struct.pack(f"<I{len(entries)}I", len(entries) << 20 | 1, *entries))
    edit = len(stream)
    stream += record(0x0FF5, struct.pack("<7I", 0, 0, 0, directory, 1, 0, 0))
    user = struct.pack("<HHIIII", 0, 0x0FF6, 20, 20, token, edit)
    return ole({"PowerPoint Document": stream, "Current User": user})


def text_box(*records: bytes, anchor: tuple[int, int, int, int] | None = None) -> bytes:
    place = [record(0xF00F, struct.pack("<4i", *anchor))] if anchor else []
    return record(0xF004, [*place, record(0xF00D, list(records))])


def words(text: str, kind: int = 4) -> bytes:
    return record(0x0F9F, struct.pack("<I", kind)) + record(0x0FA8, text.encode("latin-1"))


def xls(
    sheets: Mapping[str, Sequence[tuple[int, int, str | float | bool]]], *, locked: bool = False, hidden: str = ""
) -> bytes:
    """A BIFF8 workbook. Sheets: (row, column, value) from 0."""
    lock = struct.pack("<HHHHH", 0x002F, 54, 1, 1, 1) + bytes(48) if locked else b""
    bodies = [_bof(0x10) + b"".join(map(_biff, rows)) + struct.pack("<HH", 0x0A, 0) for rows in sheets.values()]
    names = [name.encode("latin-1") for name in sheets]
    at = len(_bof(5)) + len(lock) + sum(12 + len(name) for name in names) + 4
    globals_ = _bof(5) + lock
    for name, body in zip(names, bodies, strict=True):
        state = int(name.decode("latin-1") == hidden)
        globals_ += struct.pack("<HHIBBBB", 0x85, 8 + len(name), at, state, 0, len(name), 0) + name
        at += len(body)
    return ole({"Workbook": globals_ + struct.pack("<HH", 0x0A, 0) + b"".join(bodies)})


def _bof(kind: int) -> bytes:
    return struct.pack("<HHHHHHII", 0x0809, 16, 0x0600, kind, 0x0DBB, 0x07CC, 0, 6)


def _biff(cell: tuple[int, int, str | float | bool]) -> bytes:
    row, column, value = cell
    if isinstance(value, bool):
        return struct.pack("<HHHHHBB", 0x0205, 8, row, column, 0, value, 0)
    if isinstance(value, str):
        said = value.encode("utf-16-le")
        return struct.pack("<HHHHHHB", 0x0204, 9 + len(said), row, column, 0, len(value), 1) + said
    return struct.pack("<HHHHHd", 0x0203, 14, row, column, 0, value)
