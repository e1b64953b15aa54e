"""Numbers, units, dates and times are the same figure however they are written."""

import pytest

from app.rag.claims.figures import Figure, figures, plain, same

ONE = frozenset({1.0})


def number(text: str) -> Figure:
    found = figures(plain(text)).numbers
    assert len(found) == 1, found
    return found[0]


def told(claim: str, passage: str, *, scale: float = 1.0) -> bool:
    said, there = figures(plain(claim)), figures(plain(passage))
    numbers = all(any(same(one, other, frozenset({1.0, scale})) for other in there.numbers) for one in said.numbers)
    days = all(any(day.is_told_by(other) for other in there.days) for day in said.days)
    assert said.numbers or said.days
    return numbers and days


@pytest.mark.parametrize(
    ("claim", "passage"),
    [
        ("1,234.5", "1.234,5"),
        ("1 234,5", "1'234.5"),
        ("12,345,678", "12\u202f345\u202f678"),
        ("1,234", "1234"),
        ("1.234", "1234"),
        ("12,34,567", "1234567"),
        ("4.2 million euros", "€4,200,000"),
        ("4,2 Mio. €", "EUR 4.2 million"),
        ("$5bn", "USD 5 billion"),
        ("€4.2m", "4,2 Millionen Euro"),
        ("3.25亿元", "325 million yuan"),
        ("1億2000万円", "120 million yen"),
        ("5.2 %", "5,2 Prozent"),
        ("5.2 percent", "5.2％"),
        ("５００", "500"),
        ("٣٤٥", "345"),
        ("2 km", "2,000 metres"),
        ("90 minutes", "1.5 hours"),
        ("3.6 millimetres", "3.6 mm"),
        ("4.2 million", "4,183,000"),
        ("about 2,300", "2,345"),
        ("42 %", "41.8 %"),
        ("3 May 2022", "2022-05-03"),
        ("May 3, 2022", "03.05.2022"),
        ("3. Mai 2022", "2022年5月3日"),
        ("le 3 mai 2022", "5/3/2022"),
        ("May 2022", "3 May 2022"),
        ("3 de mayo de 2022", "3rd of May 2022"),
        ("10:30 pm", "22:30"),
        ("18h30", "18:30"),
        ("8 pm", "20 Uhr"),
    ],
)
def test_two_ways_to_write_one_figure(claim: str, passage: str) -> None:
    assert told(claim, passage)


@pytest.mark.parametrize(
    ("claim", "passage"),
    [
        ("1,234.5", "1,234.6"),
        ("4.2 million", "4.2 billion"),
        ("4.3 million", "4,183,000"),
        ("5 %", "5 kg"),
        ("5 euros", "5 dollars"),
        ("3.6 cm", "3.6 mm"),
        ("2020", "2019"),
        ("2,300", "2,345"),
        ("42 %", "43.2 %"),
        ("3 June 2022", "3 May 2022"),
        ("4 May 2022", "3 May 2022"),
        ("3 May 2021", "3 May 2022"),
        ("3 May 2022", "May 2022"),
        ("10:30 am", "10:30 pm"),
    ],
)
def test_two_figures(claim: str, passage: str) -> None:
    assert not told(claim, passage)


def test_numbers_of_a_table_in_thousands() -> None:
    assert told("4.2 million", "4,200", scale=1000)
    assert not told("4.2 million", "4,200")


def test_codes_and_versions_are_no_numbers() -> None:
    found = figures(plain("Version 2.3.1 of the X200 supports CO2 in Q3, see COVID-19 and IPv6."))
    assert set(found.codes) == {"2.3.1", "x200", "co2", "q3", "ipv6"}
    assert [one.said for one in found.numbers] == ["19"]


def test_what_is_counted_and_how_exactly() -> None:
    assert number("12 plants").counts == "plants"
    assert number("roughly 300").hedged
    assert [number(text).digits for text in ("4.2", "4,200", "1200", "0.05")] == [2, 2, 2, 1]
    assert number("£5").unit == ("pound", 1)
    assert number("5 m²").unit == ("area", 1)
