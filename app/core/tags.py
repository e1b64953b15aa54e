"""Tags as people give them: words, numbers or truth values under a key, on a whole file or on ranges of its pages.

Values are kept as words, so that 5 and "5" are the same. All that is wrong raises ValidationFailed, which names it.
"""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from app.core.errors import ValidationFailed

MAX_KEY_CHARS: Final = 64
MAX_VALUE_CHARS: Final = 200
MAX_KEYS: Final = 50
MAX_VALUES: Final = 100  # of one key
MAX_TAGS: Final = 5000  # of one file: each value on each range counts
MAX_RANGES: Final = 500
MAX_FIGURE: Final = 10**18
MAX_PAGE: Final = 2**31 - 1
_RANGE: Final = re.compile(r"([0-9]{1,10})(?:\s*[-–]\s*([0-9]{1,10}))?")

PageRange = tuple[int, int]
TagValue = str | int | float | bool  # as people give it
Tags = dict[str, list[str]]


class Placed(NamedTuple):
    """One tag of a file. Without pages it is on the whole file."""

    key: str
    value: str
    page_from: int | None = None
    page_to: int | None = None


@dataclass(frozen=True, slots=True)
class PageTags:
    """Tags of some pages, such as "12-40" or "1,4-6"."""

    pages: str
    tags: Mapping[str, object]


def normalised(given: Mapping[str, object]) -> Tags:
    """Each key with its different values as words, in the order they came."""
    if len(given) > MAX_KEYS:
        raise ValidationFailed(f"tags: {len(given)} keys, and {MAX_KEYS} are allowed")
    found: Tags = {}
    for key, value in given.items():
        values = list(value) if isinstance(value, list | tuple) else [value]
        name = _word("key", key, MAX_KEY_CHARS)
        if not values:
            raise ValidationFailed(f"tags: {name!r} has no value; give one or leave the key out")
        known = found.setdefault(name, [])
        known += [_word(f"value of {name!r}", one, MAX_VALUE_CHARS) for one in values]
        found[name] = list(dict.fromkeys(known))
        if len(found[name]) > MAX_VALUES:
            raise ValidationFailed(f"tags: {name!r} has more than {MAX_VALUES} values")
    return found


def in_words(given: Sequence[str]) -> Tags:
    """`grade:5`, `grade:6` as {"grade": ["5", "6"]}, cut at the first colon."""
    found: dict[str, list[str]] = {}
    for one in given:
        key, colon, value = one.partition(":")
        if not colon:
            raise ValidationFailed(f"tag {one[:80]!r}: write a key and a value, such as 'grade:5'")
        found.setdefault(key, []).append(value)
    return normalised(found)


def _word(what: str, given: object, max_chars: int) -> str:
    if isinstance(given, bool):
        return "true" if given else "false"
    if isinstance(given, int | float):
        given = _figure(what, given)
    if not isinstance(given, str):
        raise ValidationFailed(f"tags: the {what} is neither a word nor a number: {str(given)[:80]!r}")
    word = unicodedata.normalize("NFC", " ".join(given.split()))
    if not word or not word.isprintable():
        raise ValidationFailed(f"tags: the {what} is empty or has characters that cannot be shown: {given[:80]!r}")
    if len(word) > max_chars:
        raise ValidationFailed(f"tags: the {what} has {len(word)} characters, and {max_chars} are allowed")
    return word


def _figure(what: str, given: float) -> str:
    if not -MAX_FIGURE < given < MAX_FIGURE:  # nor one that is none
        raise ValidationFailed(f"tags: the {what} is not a number that can be kept")
    return str(int(given)) if given == int(given) else repr(given)


def page_ranges(pages: str) -> list[PageRange]:
    """ "1,4-6" as [(1, 1), (4, 6)], in order, those that meet made into one."""
    parts = [part.strip() for part in pages.split(",")]
    if len(parts) > MAX_RANGES:
        raise ValidationFailed(f"pages: {len(parts)} ranges, and {MAX_RANGES} are allowed")
    found = sorted(_page_range(part, pages) for part in parts)
    merged: list[PageRange] = []
    for first, last in found:
        if merged and first <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(last, merged[-1][1]))
        else:
            merged.append((first, last))
    return merged


def _page_range(part: str, pages: str) -> PageRange:
    match = _RANGE.fullmatch(part)
    if match is None:
        raise ValidationFailed(f"pages {pages[:80]!r}: {part[:40]!r} is not a page; write '3', '12-40' or '1,4-6'")
    first, last = int(match[1]), int(match[2] or match[1])
    if not 1 <= first <= MAX_PAGE or last > MAX_PAGE:
        raise ValidationFailed(f"pages {pages[:80]!r}: pages are counted from 1 to {MAX_PAGE}")
    if last < first:
        raise ValidationFailed(f"pages {pages[:80]!r}: {part!r} ends before it begins; write '{last}-{first}'")
    return first, last


def placed(tags: Mapping[str, object], page_tags: Sequence[PageTags], *, last_page: int | None = None) -> list[Placed]:
    """All tags of a file, each once. `last_page`: of the file, when it is known."""
    found = {Placed(key, value): None for key, values in normalised(tags).items() for value in values}
    for given in page_tags:
        ranges = page_ranges(given.pages)
        if last_page is not None and ranges[-1][1] > last_page:
            raise ValidationFailed(f"pages {given.pages[:80]!r}: the file's last page is {last_page}")
        words = normalised(given.tags)
        for first, last in ranges:
            found |= {Placed(key, value, first, last): None for key, values in words.items() for value in values}
        if len(found) > MAX_TAGS:
            break
    if len(found) > MAX_TAGS:
        raise ValidationFailed(f"tags: more than {MAX_TAGS} in one file, each value on each range of pages counted")
    return list(found)


def of_whole_file(found: Sequence[Placed]) -> dict[str, object]:
    """As people gave them: a key's only value stands alone."""
    return _plain([tag for tag in found if tag.page_from is None])


def of_pages(found: Sequence[Placed]) -> list[dict[str, object]]:
    """[{pages, tags}], ranges with the same tags put together."""
    by_range: dict[PageRange, list[Placed]] = {}
    for tag in found:
        if tag.page_from is not None and tag.page_to is not None:
            by_range.setdefault((tag.page_from, tag.page_to), []).append(tag)
    entries: dict[str, tuple[dict[str, object], list[str]]] = {}
    for (first, last), tags in sorted(by_range.items()):
        words = _plain(tags)
        _, pages = entries.setdefault(repr(sorted(words.items())), (words, []))
        pages.append(str(first) if first == last else f"{first}-{last}")
    return [{"pages": ",".join(pages), "tags": words} for words, pages in entries.values()]


def _plain(found: Sequence[Placed]) -> dict[str, object]:
    values: Tags = {}
    for tag in found:
        values.setdefault(tag.key, []).append(tag.value)
    return {key: words[0] if len(words) == 1 else words for key, words in values.items()}
