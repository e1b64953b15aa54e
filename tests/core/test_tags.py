"""How tags and ranges of pages are written."""

import pytest

from app.core.errors import ValidationFailed
from app.core.tags import (
    MAX_KEYS,
    MAX_TAGS,
    MAX_VALUES,
    PageTags,
    Placed,
    normalised,
    of_pages,
    of_whole_file,
    page_ranges,
    placed,
)


@pytest.mark.parametrize(
    ("pages", "expected"),
    [
        ("3", [(3, 3)]),
        ("12-40", [(12, 40)]),
        ("1,4-6", [(1, 1), (4, 6)]),
        (" 4 - 6 , 1 ", [(1, 1), (4, 6)]),
        ("5–7", [(5, 7)]),
        ("1-3,2-5,6", [(1, 6)]),
        ("2147483647", [(2147483647, 2147483647)]),
    ],
)
def test_page_ranges(pages: str, expected: list[tuple[int, int]]) -> None:
    assert page_ranges(pages) == expected


@pytest.mark.parametrize(
    ("pages", "said"),
    [
        ("", "'' is not a page"),
        ("x", "'x' is not a page; write '3', '12-40' or '1,4-6'"),
        ("1,,2", "'' is not a page"),
        ("-3", "'-3' is not a page"),
        ("1-2-3", "'1-2-3' is not a page"),
        ("1.5", "'1.5' is not a page"),
        ("٣", "is not a page"),
        ("40-12", "'40-12' ends before it begins; write '12-40'"),
        ("0", "counted from 1"),
        ("1-2147483648", "counted from 1"),
        ("9" * 400, "is not a page"),
        (",".join(["1"] * 501), "501 ranges"),
    ],
)
def test_what_is_no_range_is_named(pages: str, said: str) -> None:
    with pytest.raises(ValidationFailed) as refused:
        page_ranges(pages)
    assert said in refused.value.message
    assert len(refused.value.message) < 250


def test_values_are_words_and_each_stands_once() -> None:
    given = {" grade ": [5, "5", 5.0, "6"], "done": True, "share": 2.5, "kind": "cafe\u0301  noir"}
    assert normalised(given) == {
        "grade": ["5", "6"],
        "done": ["true"],
        "share": ["2.5"],
        "kind": ["café noir"],
    }


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"": "x"}, "the key is empty"),
        ({"k" * 65: "x"}, "65 characters, and 64 are allowed"),
        ({"k": "v" * 201}, "201 characters, and 200 are allowed"),
        ({"k": []}, "'k' has no value"),
        ({"k": " "}, "is empty"),
        ({"k": "a\0b"}, "cannot be shown"),
        ({"k": "\ud800"}, "cannot be shown"),
        ({"k": None}, "neither a word nor a number"),
        ({"k": {"a": 1}}, "neither a word nor a number"),
        ({"k": float("nan")}, "not a number"),
        ({"k": float("inf")}, "not a number"),
        ({"k": 10**5000}, "not a number"),
        ({"k": [str(n) for n in range(MAX_VALUES + 1)]}, "more than 100 values"),
        ({str(n): "x" for n in range(MAX_KEYS + 1)}, "51 keys"),
    ],
)
def test_what_is_no_tag_is_named(given: dict[str, object], said: str) -> None:
    with pytest.raises(ValidationFailed) as refused:
        normalised(given)
    assert said in refused.value.message
    assert len(refused.value.message) < 250


def test_tags_are_placed_and_shown_as_they_were_given() -> None:
    on_pages = [PageTags("1,4-6", {"grade": ["5", 6]}), PageTags("5", {"grade": 7}), PageTags("4-6", {"grade": 5})]
    found = placed({"subject": "math", "lang": ["de", "en"]}, on_pages, last_page=6)
    assert Placed("grade", "5", 4, 6) in found
    assert len(found) == len(set(found)) == 3 + 4 + 1
    assert of_whole_file(found) == {"subject": "math", "lang": ["de", "en"]}
    assert of_pages(found) == [
        {"pages": "1,4-6", "tags": {"grade": ["5", "6"]}},
        {"pages": "5", "tags": {"grade": "7"}},
    ]


def test_pages_outside_the_file_are_named_with_its_last_page() -> None:
    with pytest.raises(ValidationFailed, match=r"pages '2,12-40': the file's last page is 30"):
        placed({}, [PageTags("2,12-40", {"grade": 5})], last_page=30)
    assert placed({}, [PageTags("12-40", {"grade": 5})], last_page=40)
    assert placed({}, [PageTags("12-40", {"grade": 5})], last_page=None)


def test_tags_of_one_file_are_bounded() -> None:
    many = PageTags(",".join(str(2 * n + 1) for n in range(500)), {"k": [str(n) for n in range(11)]})
    with pytest.raises(ValidationFailed, match=f"more than {MAX_TAGS}"):
        placed({}, [many])
