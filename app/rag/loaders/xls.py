"""Excel workbooks in binary formats: .xls of Excel 5 to 2003, and .xlsb."""

import struct
from collections.abc import Iterable, Iterator
from datetime import date, datetime, time, timedelta
from pathlib import Path

from python_calamine import CalamineError, CalamineSheet, CalamineWorkbook, PasswordError, SheetVisibleEnum

from app.rag.pages import ParseError
from app.rag.readers.chart import tidy_number
from app.rag.readers.merged import Area, Merged
from app.rag.readers.ole import Streams
from app.rag.readers.parts import Paged, Part
from app.rag.readers.sheet_pages import SheetPages, Value

FILE_PASS, END = 0x2F, 0x0A
LOCKED = "the workbook is protected by a password; save it without one and upload it again"
DAMAGED = "the workbook is damaged or of an unknown kind ({}); open it in a spreadsheet program and save it as .xlsx"


class Xls(Paged):
    """A page is a sheet, or a part of a long one. Formulas say what they were last calculated to."""

    def read(self, path: Path) -> Iterable[Part]:
        try:
            yield from _sheets(CalamineWorkbook.from_path(path))
        except (CalamineError, OSError) as error:
            if isinstance(error, PasswordError) or _is_locked(path):
                raise ParseError("encrypted", LOCKED) from error
            raise ParseError("damaged", DAMAGED.format(error)) from error
        except BaseException as error:  # calamine panics on some damaged files, and a panic is no Exception
            if type(error).__name__ != "PanicException":
                raise
            raise ParseError("damaged", DAMAGED.format("its records contradict each other")) from error


def _is_locked(path: Path) -> bool:
    """Calamine goes by the ending of a name, which stored files do not have: then it says no more than "unknown"."""
    try:
        records = Streams(path).read("Workbook")
    except ParseError as error:
        return error.code == "encrypted"
    at = 0
    while at + 4 <= len(records):
        kind, size = struct.unpack_from("<HH", records, at)
        if kind in {FILE_PASS, END}:
            return bool(kind == FILE_PASS)
        at += 4 + size
    return False


def _sheets(book: CalamineWorkbook) -> Iterator[Part]:
    for sheet in book.sheets_metadata:
        pages = SheetPages(sheet.name, is_hidden=sheet.visible != SheetVisibleEnum.Visible)
        try:
            cells = book.get_sheet_by_name(sheet.name)
        except PasswordError:
            raise
        except CalamineError as error:
            yield from pages.end(failure=DAMAGED.format(error))
            continue
        merged = Merged.of([
            Area(top + 1, bottom + 1, left, right) for (top, left), (bottom, right) in cells.merged_cell_ranges or ()
        ])  # fmt: skip
        for number, row in _rows(cells):
            pages.add(number, merged.fill(number, row))
        yield from pages.end()


def _rows(cells: CalamineSheet) -> Iterator[tuple[int, dict[int, Value]]]:
    """Calamine leaves out empty rows before the first one, but no columns."""
    if cells.start is None:
        return
    for number, row in enumerate(cells.iter_rows(), cells.start[0] + 1 if len(cells.start) else 1):
        yield number, {column: _value(value) for column, value in enumerate(row) if value != ""}


def _value(value: object) -> Value:
    match value:
        case str():
            return Value(value, is_name=not value.startswith("#"))  # errors come as `#DIV/0!`
        case bool():
            return Value(str(value).upper(), is_name=False)
        case int() | float():
            return Value(tidy_number(str(value)), is_name=False)
        case datetime():
            shown = value.isoformat(" ", "seconds").removesuffix(" 00:00:00")
            return Value(shown.removesuffix(":00"), is_name=False)
        case date() | time():
            return Value(value.isoformat(), is_name=False)
        case timedelta():
            seconds = round(value.total_seconds())
            return Value(f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}", is_name=False)
        case _:
            return Value(str(value), is_name=False)
