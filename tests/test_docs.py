"""The documents say what the code does."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest

from app.cli import COMMANDS
from app.core import errors
from app.core.enums import CountedBy, FinishReason, PullState, Stage
from app.core.errors import AppError
from app.schemas.chat import Source, SourcesFound, StreamEvent
from app.schemas.models import PullOut
from app.services.llm.store.choice import ORDER
from tests.service import SETTINGS

ROOT = Path(__file__).parents[1]
API = (ROOT / "docs" / "api.md").read_text()
README = (ROOT / "README.md").read_text()
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
EVENTS = {event.kind: event for event in get_args(StreamEvent)}


def rows(heading: str) -> Iterator[list[str]]:
    """The cells of the first table under a heading of docs/api.md."""
    section = API.split(f"## {heading}\n")[1].split("\n## ")[0]
    for line in [line for line in section.splitlines() if line.startswith("|")][2:]:
        yield [cell.strip() for cell in line.strip("|").split(" | ")]


def codes(kind: type[AppError]) -> set[tuple[str, int]]:
    return {(kind.code, kind.status)}.union(*(codes(child) for child in kind.__subclasses__()))


def test_every_error_code_is_described_once_with_its_status() -> None:
    described = [(cells[0].strip("` "), int(cells[1])) for cells in rows("Errors")]
    assert sorted(described) == sorted(codes(AppError))
    for code, status in described:
        assert re.search(rf"\b{status} {code}\b", errors.__doc__ or ""), code


def test_every_event_is_described_with_its_fields() -> None:
    described = {cells[0].strip("` "): " | ".join(cells[1:]) for cells in rows("Events of a run")}
    assert list(described) == list(EVENTS)
    for name, text in described.items():
        fields = Source.__struct_fields__ if EVENTS[name] is SourcesFound else EVENTS[name].__struct_fields__
        assert re.findall(r"`(\w+)`", text) == list(fields)


@pytest.mark.parametrize(("event", "words"), [("status", Stage), ("usage", CountedBy), ("done", FinishReason)])
def test_closed_sets_are_listed(event: str, words: type[Stage] | type[CountedBy] | type[FinishReason]) -> None:
    text = next(" ".join(cells) for cells in rows("Events of a run") if cells[0].strip("` ") == event)
    for word in words:
        assert re.search(rf"\b{word}\b", text)


def test_pulls_are_described_with_their_fields_states_and_order() -> None:
    section = " ".join(API.split("## Pulling models\n")[1].split("\n## ")[0].split())
    assert ", ".join(ORDER) + "." in section
    for word in (*PullOut.model_fields, *PullState):
        assert re.search(rf"\b{word}\b", section), word


def test_readme_names_every_command_and_only_real_settings() -> None:
    shown = set(re.findall(r"^llama-service (\w+)", README, re.MULTILINE))
    assert shown == set(COMMANDS.entries)
    named = set(re.findall(r"`([A-Z][A-Z_]{3,})[`=]", README)) | set(re.findall(r"\b([A-Z_]{4,})=\S+ \./", README))
    assert named <= SETTINGS


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(document: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", document.read_text()):
        assert (document.parent / target).exists(), target


def test_files_that_documents_name_exist() -> None:
    for document in DOCUMENTS:
        for path in re.findall(r"`((?:app|scripts|config|tests|alembic|docs)/[\w./-]+?)`", document.read_text()):
            if "name." not in path and path != "app/static":
                assert (ROOT / path).exists(), f"{document.name}: {path}"


def test_decisions_are_listed() -> None:
    listed = set(re.findall(r"\((\d{4}-[\w-]+\.md)\)", (ROOT / "docs/decisions/README.md").read_text()))
    assert listed == {path.name for path in (ROOT / "docs/decisions").glob("[0-9]*.md")}
