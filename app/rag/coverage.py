"""What became of a file's pages: how many were read and how, and why others were not."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from app.core.enums import PageState
from app.rag.pages import Page, ParseError

MAX_REASONS = 20
MAX_RANGES = 40  # of pages with one reason
A_PICTURE = "the page is a picture of text: "
BLANK = (
    "no text found: the pages are pictures, and text recognition found none on them; if they show text, check "
    "OCR_LANGUAGES and upload a sharper scan"
)
SCANNED = "no text found, looks scanned"


@dataclass(slots=True)
class Found:
    """Counts pages as they come, to say why a file has no text at all."""

    text: bool = False
    pictures: int = 0
    blank: bool = False  # a picture on which OCR found nothing
    reason: str | None = None

    def count(self, page: Page) -> None:
        self.text = self.text or bool(page.text.strip())
        self.pictures += page.needs_ocr
        self.blank = self.blank or page.by_ocr
        self.reason = self.reason or page.failure

    def error(self) -> ParseError | None:
        """None when there is text."""
        if self.text:
            return None
        return ParseError("no_text", BLANK) if self.blank else no_text(self.pictures, self.reason)


def no_text(pictures: int, reason: str | None) -> ParseError:
    """Why a file without any text failed. `reason`: that of the first page that has one."""
    if pictures:
        way_out = (reason or "").rpartition(A_PICTURE)[2] or "run text recognition (OCR) on it first"
        return ParseError("no_text", f"{SCANNED}; {way_out}")
    if reason is not None:
        return ParseError("unreadable_pages", f"none of its pages could be read: {reason}")
    return ParseError("no_text", "no text found: the pages of this file are empty")


def why_empty(coverage: Mapping[str, object] | None) -> ParseError:
    """The same, of a file whose coverage is known."""
    found = coverage or {}
    reasons = cast(Sequence[Mapping[str, str]], found.get("reasons") or [])
    pictures = cast(int, found.get(PageState.NEEDS_OCR, 0))
    return no_text(pictures, reasons[0]["reason"] if reasons else None)


def summary(states: Mapping[str, int], reasons: Iterable[tuple[int, str]]) -> dict[str, object]:
    """The `coverage` of a file: pages by state, and reasons with the pages that have them, bounded in number.

    `reasons` are page numbers with theirs, in order of the numbers.
    """
    pages: dict[str, list[int]] = {}
    for number, reason in reasons:
        pages.setdefault(reason, []).append(number)
    shown = [{"pages": ranges(numbers), "reason": reason} for reason, numbers in list(pages.items())[:MAX_REASONS]]
    return {**{state.value: states.get(state, 0) for state in PageState}, "reasons": shown}


def ranges(numbers: Iterable[int]) -> str:
    """`1, 3-5` for 1, 3, 4 and 5. What is more than 40 ranges is left out, with three dots."""
    found: list[list[int]] = []
    for number in numbers:
        if found and number == found[-1][1] + 1:
            found[-1][1] = number
        else:
            found.append([number, number])
    parts = [str(first) if first == last else f"{first}-{last}" for first, last in found[:MAX_RANGES]]
    return ", ".join([*parts, "..."] if len(found) > MAX_RANGES else parts)
