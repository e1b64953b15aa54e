"""Tags as clients send and see them."""

from collections.abc import Mapping
from typing import Annotated

from pydantic import BeforeValidator, Field, StrictBool, StrictFloat, StrictInt

from app.core import tags
from app.core.tags import MAX_RANGES
from app.schemas.base import Answer, Body, Text

Word = StrictBool | StrictInt | StrictFloat | Text


def _as_words(given: object) -> object:
    return tags.normalised(given) if isinstance(given, Mapping) else given


TagMap = Annotated[
    dict[str, list[str]], BeforeValidator(_as_words, json_schema_input_type=dict[Text, Word | list[Word]])
]
TagFilter = Annotated[
    TagMap,
    Field(
        description="only passages whose file or pages have, of each key, one of the values",
        examples=[{"grade": ["5", "6"]}],
    ),
]


class PageTagsIn(Body):
    pages: Text = Field(max_length=10_000, examples=["12-40", "1,4-6"])
    tags: TagMap


class TagsIn(Body):
    """All tags of a file, instead of those it has. Values are kept as words: 5 and "5" are the same."""

    tags: TagMap = Field(default_factory=dict, examples=[{"subject": "math", "grade": ["5", "6"]}])
    page_tags: list[PageTagsIn] = Field(default_factory=list, max_length=MAX_RANGES)


class TagCount(Answer):
    value: str
    files: int = Field(description="how many files have it, on any page")


class TagKey(Answer):
    key: str
    values: list[TagCount]


class TagList(Answer):
    items: list[TagKey]
