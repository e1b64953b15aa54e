"""The values of a planted fact, and how each language writes them: in its usual way, or in another good one."""

import random
import re
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

FIGURES: Final = ("people", "pct", "money", "hours", "days", "tonnes", "degrees", "year", "date")
_NAMES: Final = {
    "en": "January February March April May June July August September October November December".split(),  # noqa: SIM905
    "de": "Januar Februar März April Mai Juni Juli August September Oktober November Dezember".split(),  # noqa: SIM905
    "fr": "janvier février mars avril mai juin juillet août septembre octobre novembre décembre".split(),  # noqa: SIM905
    "es": "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre".split(),  # noqa: SIM905
}
_SLOT: Final = re.compile(r"\{(\w+)\}")
_FIRST_DAY: Final = date(2015, 1, 1)


@dataclass(frozen=True, slots=True)
class Values:
    """`money` in millions of euros, `tonnes` and `people` whole, `pct` with one decimal."""

    firm: str
    city: str
    people: int
    pct: float
    money: float
    hours: int
    days: int
    tonnes: int
    degrees: int
    year: int
    date: date

    def __init__(self, rng: random.Random, firm: str, city: str) -> None:
        chosen: dict[str, object] = {
            "firm": firm,
            "city": city,
            "people": rng.randrange(120, 9800),
            "pct": rng.randrange(11, 489) / 10,
            "money": rng.randrange(11, 9899) / 10,
            "hours": rng.randrange(13, 990),
            "days": rng.randrange(13, 99),
            "tonnes": rng.randrange(1100, 98000),
            "degrees": rng.randrange(3, 95),
            "year": rng.randrange(2009, 2024),
            "date": _FIRST_DAY + timedelta(days=rng.randrange(3200)),
        }
        for name, value in chosen.items():
            object.__setattr__(self, name, value)

    def changed(self, **values: object) -> "Values":
        copy = object.__new__(Values)
        for name in Values.__slots__:
            object.__setattr__(copy, name, values.get(name, getattr(self, name)))
        return copy

    @staticmethod
    def slots(template: str) -> set[str]:
        return set(_SLOT.findall(template))

    @staticmethod
    def has_figures(template: str) -> bool:
        return any(name in FIGURES for name in _SLOT.findall(template))

    def altered(self, rng: random.Random, template: str) -> "Values | None":
        """One figure of the template with one other digit."""
        names = [name for name in sorted(self.slots(template)) if name in FIGURES]
        if not names:
            return None
        name = rng.choice(names)
        value = getattr(self, name)
        if isinstance(value, date):
            return self.changed(date=value + timedelta(days=rng.choice([1, 31, 365])))
        step = 10 ** rng.randrange(len(str(int(value)))) if name != "year" else 1
        moved = value + step * rng.choice([1, 2, 3])
        return self.changed(**{name: round(moved, 1) if isinstance(value, float) else moved})

    def replaced(self, rng: random.Random, template: str) -> "Values | None":
        """One figure of the template is another one."""
        names = [name for name in sorted(self.slots(template)) if name in FIGURES]
        if not names:
            return None
        name = rng.choice(names)
        other = Values(rng, self.firm, self.city)
        value = getattr(other, name)
        return None if value == getattr(self, name) else self.changed(**{name: value})

    def fill(self, template: str, language: str, *, other: bool = False) -> str:
        """`other`: in another way than documents of the language write."""
        shown = {name: self._shown(name, language, other=other) for name in self.slots(template)}
        said = template.format(**shown)
        return said[0].upper() + said[1:]

    def _shown(self, name: str, language: str, *, other: bool) -> str:
        value = getattr(self, name)
        match name:
            case "firm" | "city" | "year":
                return str(value)
            case "date":
                return _date(value, language, other=other)
            case "money":
                return _money(value, language, other=other)
            case "pct":
                return _percent(value, language, other=other)
            case "tonnes":
                unit = {"en": "tonnes", "de": "Tonnen", "fr": "tonnes", "es": "toneladas"}.get(language, "トン")
                return f"{_whole(value, language, other=other)}{'' if language == 'ja' else ' '}{unit}"
            case "degrees":
                return f"{value}°C" if other else f"{value} °C"
        return _whole(value, language, other=other)


def _whole(value: int, language: str, *, other: bool) -> str:
    if other:
        return str(value)
    mark = {"de": ".", "fr": "\u202f", "es": "."}.get(language, ",")
    return f"{value:,}".replace(",", mark)


def _decimal(value: float, language: str) -> str:
    return f"{value:.1f}" if language in {"en", "ja"} else f"{value:.1f}".replace(".", ",")


def _percent(value: float, language: str, *, other: bool) -> str:
    word = {"en": "percent", "de": "Prozent", "fr": "pour cent", "es": "por ciento"}.get(language, "%")
    space = "" if language in {"en", "ja"} else " "
    return f"{_decimal(value, language)} {word}" if other and word != "%" else f"{_decimal(value, language)}{space}%"


def _money(value: float, language: str, *, other: bool) -> str:
    """In millions of euros."""
    if other:
        short = {"en": "€{}m", "de": "{} Mio. €", "fr": "{} M€", "es": "{} M€"}.get(language, "{}百万ユーロ")
        return short.format(_decimal(value, language))
    if language == "ja":
        return f"{_whole(round(value * 100), 'en', other=False)}万ユーロ"
    word = {"en": "million euros", "de": "Millionen Euro", "fr": "millions d'euros", "es": "millones de euros"}[
        language
    ]
    return f"{_decimal(value, language)} {word}"


def _date(value: date, language: str, *, other: bool) -> str:
    if other and language != "ja":
        return value.strftime("%d.%m.%Y") if language == "de" else value.isoformat()
    if language == "ja":
        return f"{value.year}/{value.month}/{value.day}" if other else f"{value.year}年{value.month}月{value.day}日"
    month = _NAMES[language][value.month - 1]
    patterns = {"en": "{d} {m} {y}", "de": "{d}. {m} {y}", "fr": "{d} {m} {y}", "es": "{d} de {m} de {y}"}
    return patterns[language].format(d=value.day, m=month, y=value.year)
