from pathlib import Path

import pytest

from app.rag.loaders import LOADERS, ODS, XLS, XLSX
from app.rag.pages import Page, ParseError
from app.rag.readers.number_format import Format
from app.rag.readers.sheet_pages import PAGE_ROWS, column_name
from tests.office import cells, odf, xls, xlsx


def pages_of(path: Path, data: bytes, kind: str = XLSX) -> list[Page]:
    path.write_bytes(data)
    loader = LOADERS.get(kind)()
    pages = list(loader.pages(path, 1))
    assert list(LOADERS.get(kind)().pages(path, 2)) == pages[1:]
    return pages


def lines_of(path: Path, data: bytes, kind: str = XLSX) -> list[str]:
    (page,) = pages_of(path, data, kind)
    return page.text.split("\n")


def test_values_are_told_as_people_read_them(tmp_path: Path) -> None:
    styles = (
        '<numFmts><numFmt numFmtId="200" formatCode="d.m.yyyy h:mm"/><numFmt numFmtId="201" formatCode="[$€-407]0.00"/>'
        '</numFmts><cellStyleXfs><xf numFmtId="9"/></cellStyleXfs><cellXfs><xf numFmtId="0"/><xf numFmtId="9"/>'
        '<xf numFmtId="14"/><xf numFmtId="200"/><xf numFmtId="201"/></cellXfs>'
    )
    strings = ["<si><t>Name</t></si>", "<si><r><t>Va</t></r><r><t>lue</t></r><rPh><t>reading</t></rPh></si>"]
    values = ['s="1"><v>0.18</v>', 's="2"><v>43000</v>', 's="3"><v>43000.5</v>', 's="4"><v>-1234.5</v>']
    values += [
        't="b"><v>1</v>',
        't="e"><v>#DIV/0!</v>',
        't="str"><f>A1</f><v>text</v>',
        "><f>SUM(A1:A2)</f>",
        "><v>1e20</v>",
    ]
    values += ["><v>0.30000000000000004</v>", 't="s"><v>99</v>', "><v>9007199254740993</v>"]
    rows = "".join(
        f'<row><c t="inlineStr"><is><t>k{n}</t></is></c><c {value}</c></row>' for n, value in enumerate(values)
    )
    sheet = f'<sheetData><row><c t="s"><v>0</v></c><c t="s"><v>1</v></c></row>{rows}</sheetData>'
    lines = lines_of(tmp_path / "a", xlsx({"Q3": sheet}, strings=strings, styles=styles))
    assert lines[:4] == ["# Q3", "", "| Name | Value |", "| --- | --- |"]
    assert [line.split(" | ")[1].removesuffix(" |") for line in lines[4:]] == [
        *(
            "18%",
            "2017-09-22",
            "2017-09-22 12:00",
            "-€1234.5",
            "TRUE",
            "#DIV/0!",
            "text",
            "=SUM(A1:A2)",
            "1e+20",
            "0.3",
        ),
        *("", "9.00719925474099e+15"),
    ]


@pytest.mark.parametrize(
    ("code", "raw", "shown"),
    [
        ("General", "12", "12"),
        ('0.0" %"', "12.5", "12.5"),
        ("0.00%", "0.125", "12.5%"),
        ('"day" 0', "3", "3"),
        ("#,##0.00 [$USD]", "5", "5 USD"),
        ("$#,##0", "5", "$5"),
        ("mm:ss", "0.5", "12:00"),
        ("[h]:mm", "1.5", "36:00:00"),
        ("yyyy", "1", "1900-01-01"),
        ("yyyy", "-1", "-1"),
        ("yyyy", "1e300", "1e+300"),
        ("[Red]d/m/yy;@", "59", "1900-02-28"),
        ("[Red]d/m/yy;@", "61", "1900-03-01"),
        ("0.0", "no number", "no number"),
    ],
)
def test_number_formats(code: str, raw: str, shown: str) -> None:
    assert Format.of(code).show(raw) == shown


def test_dates_may_count_from_1904(tmp_path: Path) -> None:
    styles = '<cellXfs><xf numFmtId="14"/></cellXfs>'
    sheet = '<sheetData><row><c s="0"><v>0</v></c></row></sheetData>'
    book = xlsx({"S": sheet}, styles=styles, book='<workbookPr date1904="1"/>')
    assert lines_of(tmp_path / "a", book)[-1] == "1904-01-01"


def test_tables_titles_and_what_stands_beside_each_other(tmp_path: Path) -> None:
    rows: dict[str, str | float | bool] = {"A1": "Ducks of the year", "A3": "Region", "B3": 2023, "C3": 2024}
    rows |= {"A5": "North", "B5": 1, "C5": 2, "A6": "South|West", "C6": 3, "E8": "x", "F8": "y", "E9": 1, "F9": True}
    rows |= {"A11": 1, "B11": 2}
    assert lines_of(tmp_path / "a", xlsx({"Data": cells(rows)})) == [
        *("# Data", "", "Ducks of the year", ""),
        *("| Region | 2023 | 2024 |", "| --- | --- | --- |", "| North | 1 | 2 |", "| South\\|West |  | 3 |", ""),
        *("| x | y |", "| --- | --- |", "| 1 | TRUE |", "", "| A | B |", "| --- | --- |", "| 1 | 2 |"),
    ]


def test_merged_cells_are_repeated_and_titles_are_not(tmp_path: Path) -> None:
    rows: dict[str, str | float | bool] = {
        "A1": "Title",
        "A2": "Name",
        "B2": "Class",
        "A3": "Ann",
        "B3": 1,
        "C3": 2,
        "B4": 3,
    }
    merged = "".join(f'<mergeCell ref="{area}"/>' for area in ("A1:C1", "B2:C2", "A3:A4", "Z9:XFD1048576"))
    lines = lines_of(tmp_path / "a", xlsx({"S": f"{cells(rows)}<mergeCells>{merged}</mergeCells>"}))
    assert lines[2:] == [
        *("Title", "", "| Name | Class | Class |", "| --- | --- | --- |", "| Ann | 1 | 2 |", "| Ann | 3 |  |"),
    ]


def test_a_long_sheet_is_several_pages_with_its_header_and_a_far_cell_costs_nothing(tmp_path: Path) -> None:
    rows: dict[str, str | float | bool] = {"A1": "Item", "B1": "Price"}
    for number in range(2, PAGE_ROWS + 12):
        rows |= {f"A{number}": f"item {number}", f"B{number}": number}
    rows["XFD1048576"] = "far"
    first, second, hidden = pages_of(tmp_path / "a", xlsx({"Long": cells(rows), "Sheet2": ""}, states="veryHidden"))
    assert (first.label, second.label, hidden.label) == (
        *(f"Sheet Long, rows 1-{PAGE_ROWS}", f"Sheet Long, rows {PAGE_ROWS + 1}-1048576"),
        "Sheet2 (hidden)",
    )
    head = ["| Item | Price |", "| --- | --- |"]
    assert first.text.split("\n")[2:5] == [*head, "| item 2 | 2 |"]
    assert second.text.split("\n")[2:5] == [*head, f"| item {PAGE_ROWS + 1} | {PAGE_ROWS + 1} |"]
    assert (second.text.split("\n")[-1], hidden.text) == ("far", "")


def test_a_damaged_sheet_keeps_what_came_before(tmp_path: Path) -> None:
    pages = pages_of(tmp_path / "a", xlsx({"S": "<sheetData><row><c><v>5</v></c></row><row", "T": cells({"A1": "x"})}))
    assert [(page.label, page.text, page.failure is None) for page in pages] == [
        *(("Sheet S", "# S\n\n5", True), ("Sheet S", "", False), ("Sheet T", "# T\n\nx", True)),
    ]


def test_open_document_sheets(tmp_path: Path) -> None:
    cell = '<table:table-cell office:value-type="{}" {}>{}</table:table-cell>'
    text = "<text:p>{}</text:p>"
    head = cell.format("string", 'table:number-columns-spanned="2"', text.format("Both"))
    note = "<office:annotation><dc:creator>me</dc:creator><text:p>Check.</text:p></office:annotation>"
    price = cell.format("currency", 'office:value="3.5"', note + text.format("3,50 €"))
    seven = cell.format("float", 'office:value="7"', "")
    styles = '<style:style style:name="h"><style:table-properties table:display="false"/></style:style>'
    body = (
        '<table:table table:name="One"><table:table-row><table:table-cell/>'
        f"{head}<table:covered-table-cell><text:p>gone</text:p></table:covered-table-cell></table:table-row>"
        f'<table:table-row table:number-rows-repeated="2">{cell.format("string", "", text.format("row"))}{price}'
        f"{seven}</table:table-row>"
        '<table:table-row table:number-rows-repeated="1048000">'
        '<table:table-cell table:number-columns-repeated="16384"/>'
        '</table:table-row></table:table><table:table table:name="Two" table:style-name="h"/>'
    )
    one, two = pages_of(tmp_path / "a", odf(body, kind="spreadsheet", styles=styles), ODS)
    assert (one.label, two.label) == ("Sheet One", "Sheet Two (hidden)")
    row = "| row | 3,50 € | 7 |"
    assert one.text.split("\n") == [
        "# One",
        "",
        "Both",
        "",
        "| A | B | C |",
        "| --- | --- | --- |",
        row,
        row,
        "",
        "Comment on B2: Check.",
    ]


def test_a_sheet_of_repeated_cells_is_bounded(tmp_path: Path) -> None:
    cell = '<table:table-cell table:number-columns-repeated="16384"><text:p>boom</text:p></table:table-cell>'
    row = f'<table:table-row table:number-rows-repeated="1048576">{cell}</table:table-row>'
    pages = pages_of(
        tmp_path / "a", odf(f'<table:table table:name="S">{row * 200}</table:table>', kind="spreadsheet"), ODS
    )
    assert sum(len(page.text) for page in pages) < 10_000_000


def test_old_workbooks(tmp_path: Path) -> None:
    rows: list[tuple[int, int, str | float | bool]] = [(2, 1, "Name"), (2, 2, "Größe"), (3, 1, "a"), (3, 2, 1.5)]
    rows += [(4, 1, "b"), (4, 2, True)]
    one, two = pages_of(tmp_path / "a", xls({"One": rows, "Two": []}, hidden="Two"), XLS)
    assert (one.label, two.label) == ("Sheet One", "Sheet Two (hidden)")
    assert one.text == "# One\n\n| Name | Größe |\n| --- | --- |\n| a | 1.5 |\n| b | TRUE |"


@pytest.mark.parametrize(
    ("data", "kind", "code"),
    [
        (xls({"One": []}, locked=True), XLS, "encrypted"),
        (xls({"One": []})[:3000], XLS, "damaged"),
        (b"no workbook at all", XLS, "damaged"),
        (xlsx({"S": ""})[:300], XLSX, "damaged"),
        (xlsx({"S": '<!DOCTYPE x [<!ENTITY a "lol">]>'}), XLSX, "damaged"),
        (odf("<table:table>", kind="spreadsheet"), ODS, "damaged"),
    ],
)
def test_bad_files_are_refused_with_a_reason(tmp_path: Path, data: bytes, kind: str, code: str) -> None:
    with pytest.raises(ParseError) as caught:
        pages_of(tmp_path / "a", data, kind)
    assert caught.value.code == code
    assert len(caught.value.message) > 20


def test_columns_have_letters() -> None:
    assert [column_name(number) for number in (0, 25, 26, 701, 702, 16_383)] == ["A", "Z", "AA", "ZZ", "AAA", "XFD"]
