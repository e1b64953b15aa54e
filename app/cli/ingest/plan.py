"""Which documents are to be ingested: from a YAML list, a folder, or an address."""

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Final

from pydantic import AfterValidator, AliasChoices, BaseModel, ConfigDict, Field, model_validator

from app.core.errors import ValidationFailed
from app.core.tags import TagValue, page_ranges
from app.core.yaml_files import YamlFile, read_yaml

YAML: Final = {".yaml", ".yml"}
WEB: Final = ("http://", "https://")
OBJECTS: Final = ("s3://", "gs://", "az://")
WILD: Final = re.compile(r"[*?\[]")
MAX_DOCUMENTS: Final = 100_000
Tags = dict[Annotated[str, Field(min_length=1, max_length=64)], TagValue | list[TagValue]]


def _ranges(pages: str) -> str:
    """Whether the file has these pages is known later."""
    try:
        page_ranges(pages)
    except ValidationFailed as error:
        raise ValueError(error.message) from None
    return pages


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, coerce_numbers_to_str=True)


class PageTags(_Entry):
    """Tags of some pages."""

    pages: Annotated[str, AfterValidator(_ranges)]
    tags: Tags = Field(min_length=1)


class Entry(_Entry):
    """A document, or with a pattern or a folder several. `path` may be relative to the list.

    A text alone is a path, or an address.
    """

    path: str | None = Field(None, min_length=1)
    url: str | None = Field(None, min_length=1)
    tags: Tags = {}
    page_tags: list[PageTags] = Field([], validation_alias=AliasChoices("page_tags", "pages"))

    @model_validator(mode="before")
    @classmethod
    def _bare(cls, value: object) -> object:
        return {"path": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _one_source(self) -> "Entry":
        if (self.path is None) == (self.url is None):
            raise ValueError("give either path or url")
        if self.url is not None and not self.url.startswith((*WEB, *OBJECTS)):
            raise ValueError(f"url {self.url!r} begins with none of {', '.join((*WEB, *OBJECTS))}")
        return self


class _List(_Entry):
    collection: str | None = Field(None, min_length=1, max_length=100)
    tags: Tags = {}
    documents: list[Entry] = Field(max_length=MAX_DOCUMENTS)

    @model_validator(mode="before")
    @classmethod
    def _documents_alone(cls, value: object) -> object:
        return {"documents": value} if isinstance(value, list) else value


@dataclass(frozen=True, slots=True)
class Document:
    """One document. `source` is its path, absolute, or its address; `shown` is what people call it."""

    source: str
    shown: str
    collection: str | None = None
    tags: Tags = field(default_factory=dict)
    page_tags: Sequence[PageTags] = ()

    @property
    def is_local(self) -> bool:
        return not self.source.startswith((*WEB, *OBJECTS))

    @property
    def is_web(self) -> bool:
        return self.source.startswith(WEB)


def plan(targets: Sequence[str]) -> list[Document]:
    """All documents, each source once. Raises SettingsError with file and line, or ValidationFailed."""
    found: dict[str, Document] = {}
    for target in targets:
        for document in _of_target(target):
            if document.source in found:
                raise ValidationFailed(f"{document.shown!r} is named twice")
            found[document.source] = document
            if len(found) > MAX_DOCUMENTS:
                raise ValidationFailed(f"{target!r} makes more than {MAX_DOCUMENTS:,} documents; split the list")
    if not found:
        raise ValidationFailed(f"there is no document in {', '.join(map(repr, targets))}")
    return list(found.values())


def _of_target(target: str) -> Iterator[Document]:
    if target.startswith((*WEB, *OBJECTS)):
        yield Document(target, target)
        return
    path = Path(target)
    if path.suffix.lower() in YAML and path.is_file():
        yield from _listed(read_yaml(path, _List))
        return
    try:
        files = _files(path)
    except (OSError, ValueError) as error:
        raise ValidationFailed(f"path {target!r} cannot be used: {error}") from None
    if not files:
        raise ValidationFailed(f"there is no file {target!r}")
    yield from (Document(*_named(file)) for file in files)


def _listed(file: YamlFile[_List]) -> Iterator[Document]:
    for number, entry in enumerate(file.content.documents):
        tags = {**file.content.tags, **entry.tags}
        for source, shown in _sources(file, number, entry):
            yield Document(source, shown, file.content.collection, tags, entry.page_tags)


def _sources(file: YamlFile[_List], number: int, entry: Entry) -> list[tuple[str, str]]:
    if entry.path is None or entry.path.startswith((*WEB, *OBJECTS)):
        address = entry.url or entry.path or ""
        return [(address, address)]
    where = ("documents", number, "path")
    try:
        files = _files(file.path.parent / entry.path)
    except (OSError, ValueError) as error:
        raise file.error(where, f"path {entry.path!r} cannot be used: {error}") from None
    if not files:
        raise file.error(where, f"there is no file {entry.path!r} beside the list")
    if len(files) > 1 and entry.page_tags:
        raise file.error(where, f"path {entry.path!r} names {len(files)} files; tags of pages are for one")
    return [_named(path) for path in files]


def _named(path: Path) -> tuple[str, str]:
    """Its absolute path and what it is called, both without `..` unless a link makes that another file."""
    short = Path(os.path.normpath(path))
    plain = short if short.exists() and short.samefile(path) else path
    return str(plain.absolute()), str(plain)


def _files(path: Path) -> list[Path]:
    """A file; all files of a folder, but hidden ones; or what a pattern names. In order of their names."""
    if path.is_file():
        return [path]
    if path.is_dir():
        inside = (each for each in path.rglob("*") if each.is_file())
        return sorted(each for each in inside if not _is_hidden(each.relative_to(path)))
    if not WILD.search(str(path)):
        return []
    anchor = Path(path.anchor) if path.is_absolute() else Path()
    return sorted(each for each in anchor.glob(str(path.relative_to(anchor))) if each.is_file())


def _is_hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)
