"""YAML files that people write: whatever is wrong with one is told with file and line."""

from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from app.core.errors import SettingsError

MAX_FILE_BYTES = 1 << 20
M = TypeVar("M", bound=BaseModel)
Where = tuple[int | str, ...]


@dataclass(frozen=True, slots=True)
class YamlFile(Generic[M]):
    """A file's content, and where each of its entries stands."""

    path: Path
    content: M
    node: yaml.Node | None

    def error(self, where: Where, said: str) -> SettingsError:
        """What is wrong with the entry at a place such as ("sources", 0, "name")."""
        return SettingsError(f"{self.path}:{line_of(self.node, where)}: {said}")


def read_yaml(path: Path, kind: type[M]) -> YamlFile[M]:
    """The file as a `kind`. Raises FileNotFoundError, or SettingsError with file and line."""
    try:
        text = path.read_bytes()[:MAX_FILE_BYTES].decode()
    except FileNotFoundError:
        raise
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: it cannot be read: {error}") from None
    try:
        node = yaml.compose(text, Loader=yaml.CSafeLoader)
        content = yaml.load(text, Loader=yaml.CSafeLoader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise SettingsError(f"{path}:{line}: it is not YAML: {error.problem}") from None
    except (yaml.YAMLError, RecursionError, ValueError) as error:  # ValueError: a date such as 2026-13-45
        raise SettingsError(f"{path}: it is not YAML: {error}") from None
    try:
        return YamlFile(path, kind.model_validate({} if content is None else content), node)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        line = line_of(node, first["loc"])
        raise SettingsError(f"{path}:{line}: {where}: {_said(kind, first['loc'], first['msg'])}") from None


def line_of(node: yaml.Node | None, where: Where) -> int:
    """The line of an entry, or of the nearest one around it that is there; from 1."""
    line = 1 if node is None else node.start_mark.line + 1
    for part in where:
        found: yaml.Node | None = None
        if isinstance(node, yaml.SequenceNode) and isinstance(part, str):
            continue  # a list that stands for its one entry
        if isinstance(node, yaml.MappingNode):
            pair = next(((key, value) for key, value in node.value if key.value == str(part)), None)
            found = pair and pair[1]
            line = pair[0].start_mark.line + 1 if pair else line
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            found = node.value[part]
            line = found.start_mark.line + 1
        if found is None:
            break
        node = found
    return line


def _said(kind: type[BaseModel], where: Where, message: str) -> str:
    """The message; for an entry that is not known, the names of those that are at its place."""
    message = message.removeprefix("Value error, ")
    if message != "Extra inputs are not permitted":
        return message
    return f"there is no such entry; known: {', '.join(_model_at(kind, where[:-1]).model_fields)}"


def _model_at(kind: type[BaseModel], where: Where) -> type[BaseModel]:
    for part in where:
        if isinstance(part, str) and part in kind.model_fields:
            kind = _model_in(kind.model_fields[part].annotation) or kind
    return kind


def _model_in(annotation: object) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    inner = getattr(annotation, "__args__", ())
    return next((model for part in inner if (model := _model_in(part)) is not None), None)
