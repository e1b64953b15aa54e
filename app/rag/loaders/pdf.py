"""PDF, page by page: PDFium reads, pypdf is the second chance."""

from collections.abc import Iterator
from pathlib import Path
from pkgutil import resolve_name
from typing import TYPE_CHECKING

import pypdfium2 as pdfium
import pypdfium2.raw as pdfium_c

from app.rag.pages import Page, ParseError
from app.rag.readers.pdfium_page import lost_text, needs_ocr, page_text, visible

if TYPE_CHECKING:
    from app.rag.readers.pypdf_pages import PypdfPages

MAX_UNREADABLE = 100  # pages in a row: a damaged file may claim millions
ADVICE = "cannot be read; save it again in a PDF viewer"
UNREADABLE = "the page is damaged: neither of two readers can open it"
LOCKED = {
    pdfium_c.FPDF_ERR_PASSWORD: "the PDF is protected by a password; upload it without one",
    pdfium_c.FPDF_ERR_SECURITY: "the PDF is locked by a certificate or an unknown method; upload it without protection",
}


class Pdf:
    """A PDF that opens with an empty password is opened."""

    def __init__(self) -> None:
        self._document: pdfium.PdfDocument | None = None
        self._second: PypdfPages | None = None

    def page_count(self, path: Path) -> int | None:
        """Raises ParseError `encrypted`, `damaged` or `cpu_limit`."""
        document = self._open(path)
        count = len(document) if document is not None else 0
        return count or self._second_chance(path).page_count()

    def pages(self, path: Path, first: int) -> Iterator[Page]:
        total = self.page_count(path) or 0
        unreadable = 0
        for number in range(first, total + 1):
            page = self._page(path, number, total)
            unreadable = unreadable + 1 if page is None else 0
            if unreadable > MAX_UNREADABLE or unreadable == total:
                raise ParseError("damaged", f"the PDF is damaged: {unreadable} pages up to page {number} {ADVICE}")
            yield page or Page(number, "", failure=UNREADABLE)

    def _open(self, path: Path) -> pdfium.PdfDocument | None:
        """None when PDFium cannot read the file at all."""
        if self._document is None and self._second is None:
            try:
                self._document = pdfium.PdfDocument(path)
            except pdfium.PdfiumError as error:
                if error.err_code in LOCKED:
                    raise ParseError("encrypted", LOCKED[error.err_code]) from error
        return self._document

    def _page(self, path: Path, number: int, total: int) -> Page | None:
        try:
            page = self._open_page(number)
        except pdfium.PdfiumError:
            page = None
        if page is None:
            text = self._second_chance(path).text(number, total)
            return None if text is None else Page(number, text)
        try:
            text = page_text(page)
            if lost_text(page, text):
                text = max(text, self._second_chance(path).text(number, total) or "", key=visible)
            return Page(number, text, needs_ocr(page, text))
        finally:
            page.close()

    def _open_page(self, number: int) -> pdfium.PdfPage | None:
        return None if self._document is None else self._document[number - 1]

    def _second_chance(self, path: Path) -> "PypdfPages":
        """Imported on need: pypdf costs a quarter of a second."""
        if self._second is None:
            self._second = resolve_name("app.rag.readers.pypdf_pages:PypdfPages")(path)
        return self._second
