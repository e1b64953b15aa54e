"""What the number formats of a spreadsheet say about a value: dates, percentages, currencies.

Dates are written as ISO 8601 has them and other numbers with all their digits, so that nothing is rounded away.
"""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from app.rag.readers.chart import tidy_number

BUILT_IN = {
    9: "0%", 10: "0.00%", 14: "yyyy-mm-dd", 15: "d-mmm-yy", 16: "d-mmm", 17: "mmm-yy", 18: "h:mm", 19: "h:mm:ss",
    20: "h:mm", 21: "h:mm:ss", 22: "yyyy-mm-dd h:mm", 45: "mm:ss", 46: "[h]:mm:ss", 47: "mm:ss",
    **dict.fromkeys((27, 28, 29, 30, 31, 36, 50, 51, 52, 53, 54, 57, 58), "yyyy-mm-dd"),
    **dict.fromkeys((32, 33, 34, 35, 55, 56), "h:mm"),
}  # fmt: skip
LITERALS = re.compile(r'"[^"]*"|\\.|_.|\*.')
CURRENCY = re.compile(r"\[\$([^\]-]{1,8})[^\]]*\]|([$€£¥₹₽₩])")
BRACKETS = re.compile(r"\[[^\]]*\]")
ELAPSED = re.compile(r"\[(?:h+|m+|s+)\]", re.IGNORECASE)
EPOCH = datetime(1899, 12, 30)  # noqa: DTZ001 - a spreadsheet's dates have no zone
EPOCH_1904_DAYS = 1462
LAST_DAY = 2_958_466  # the year 10000


@dataclass(frozen=True, slots=True)
class Format:
    """What one format does: `kind` is number, percent, date, time, moment or elapsed."""

    kind: str = "number"
    before: str = ""
    after: str = ""

    @classmethod
    def of(cls, code: str) -> "Format":
        first = code.partition(";")[0]
        bare = BRACKETS.sub("", LITERALS.sub("", first)).lower()
        if ELAPSED.search(first):
            return cls("elapsed")
        if "general" not in bare and (found := set(bare) & set("ymdhs")):
            timed = bool(found & set("hs"))
            return cls("moment" if timed and found & set("yd") else "time" if timed else "date")
        if "%" in bare:
            return cls("percent")
        money = CURRENCY.search(first)
        if money is None:
            return cls()
        sign = money[1] or money[2]
        digits = re.search(r"[0#?]", LITERALS.sub("", first[: money.start()]))
        return cls(after=f" {sign}") if digits else cls(before=sign if len(sign) == 1 else f"{sign} ")

    def show(self, raw: str, *, from_1904: bool = False) -> str:
        """The number `raw` as people read it; `raw` itself when it is none."""
        try:
            number = float(raw)
        except ValueError:
            return raw
        if self.kind == "number":
            shown = tidy_number(raw)
            return f"-{self.before}{shown[1:]}{self.after}" if shown[0] == "-" else f"{self.before}{shown}{self.after}"
        if self.kind == "percent":
            return tidy_number(f"{number * 100:.12g}") + "%"
        days = number + EPOCH_1904_DAYS * from_1904
        if self.kind == "elapsed":
            seconds = round(number * 86_400) if abs(number) < LAST_DAY else 0
            return f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}"
        return self._date(days) if 0 <= days < LAST_DAY else tidy_number(raw)

    def _date(self, days: float) -> str:
        early = days < 60  # Excel believes that 1900 had a 29 February
        moment = EPOCH + timedelta(days=1 if early and days >= 1 else 0, seconds=round(days * 86_400))
        clock = moment.strftime("%H:%M:%S" if moment.second else "%H:%M")
        if self.kind == "time" and days < 1:
            return clock
        return moment.date().isoformat() + ("" if self.kind == "date" or clock == "00:00" else f" {clock}")
