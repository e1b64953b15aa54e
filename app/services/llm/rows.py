"""The rows of config/models.yaml: OpenAI-compatible endpoints by name. Whatever is wrong is told with file and line."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError

from app.core.errors import SettingsError
from app.core.setting_types import BaseUrl
from app.services.llm.base import ModelInfo, ModelKind
from app.services.llm.source import Price

RESERVED = frozenset({"openai", "local", "ollama", "aihub", "passages"})
NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"
MAX_FILE_BYTES = 1 << 20

Tokens = Annotated[int, Field(ge=256, le=100_000_000)]
Seconds = Annotated[float, Field(gt=0, le=86400)]


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ModelRow(_Entry):
    """A model of an endpoint. Prices are US dollars for a million tokens."""

    name: str = Field(min_length=1, max_length=200)
    kind: ModelKind = ModelKind.CHAT
    context_tokens: Tokens | None = None
    prompt_price: float | None = Field(None, ge=0)
    completion_price: float | None = Field(None, ge=0)

    @property
    def price(self) -> Price | None:
        if self.prompt_price is None and self.completion_price is None:
            return None
        return Price(self.prompt_price or 0.0, self.completion_price or 0.0)

    @property
    def info(self) -> ModelInfo:
        return ModelInfo(self.name, kind=self.kind, context_tokens=self.context_tokens)


class Row(_Entry):
    """One endpoint at one or more base URLs."""

    name: str = Field(pattern=NAME)
    base_urls: list[BaseUrl] = Field(min_length=1, max_length=64)
    api_key_env: str | None = Field(None, pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")
    headers: dict[str, str] = {}
    verify_ssl: bool = True
    models: list[ModelRow] = []
    default_model: str | None = None
    embedding_model: str | None = None
    context_tokens: Tokens = 32768
    max_concurrent: int | None = Field(None, ge=1, le=100_000)
    max_waiting: int | None = Field(None, ge=0, le=100_000)
    first_token_timeout_s: Seconds | None = None
    idle_timeout_s: Seconds | None = None
    total_timeout_s: Seconds | None = None
    fallback: list[str] = []
    key: SecretStr | None = Field(None, exclude=True)

    @property
    def first_of(self) -> Mapping[ModelKind, str]:
        """The first model of each kind."""
        return {model.kind: model.name for model in reversed(self.models)}


class _File(_Entry):
    sources: list[Row] = []


def load_rows(path: Path, variables: Mapping[str, str]) -> list[Row]:
    """The rows, with their keys taken from `variables`. No file: no rows. Raises SettingsError with file and line."""
    try:
        text = path.read_bytes()[:MAX_FILE_BYTES].decode()
    except FileNotFoundError:
        return []
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: it cannot be read: {error}") from None
    try:
        node = yaml.compose(text, Loader=yaml.CSafeLoader)
        content = yaml.load(text, Loader=yaml.CSafeLoader) or {}
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise SettingsError(f"{path}:{line}: it is not YAML: {error.problem}") from None
    except yaml.YAMLError as error:
        raise SettingsError(f"{path}: it is not YAML: {error}") from None
    try:
        rows = _File.model_validate(content).sources
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        raise SettingsError(f"{path}:{_line(node, first['loc'])}: {where}: {_said(first['msg'])}") from None
    _check(rows, path, node)
    return [_with_key(row, number, variables, (path, node)) for number, row in enumerate(rows)]


def _said(message: str) -> str:
    known = ", ".join(Row.model_fields)
    return message.replace("Extra inputs are not permitted", f"there is no such entry; known: {known}")


def _line(node: yaml.Node | None, where: tuple[int | str, ...]) -> int:
    """The line of an entry, or of the nearest one around it that is there; from 1."""
    line = 1 if node is None else node.start_mark.line + 1
    for part in where:
        found: yaml.Node | None = None
        if isinstance(node, yaml.MappingNode):
            pair = next(((key, value) for key, value in node.value if key.value == part), None)
            found = pair and pair[1]
            line = pair[0].start_mark.line + 1 if pair else line
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            found = node.value[part]
            line = found.start_mark.line + 1
        if found is None:
            break
        node = found
    return line


def _check(rows: list[Row], path: Path, node: yaml.Node | None) -> None:
    seen: set[str] = set()
    for number, row in enumerate(rows):
        where = f"{path}:{_line(node, ('sources', number, 'name'))}"
        if row.name in RESERVED:
            raise SettingsError(f"{where}: the name {row.name!r} belongs to a built-in source; choose another")
        if row.name in seen:
            raise SettingsError(f"{where}: the name {row.name!r} is given twice")
        seen.add(row.name)
    for number, row in enumerate(rows):
        for place, name in enumerate(row.fallback):
            if name.partition("/")[0] not in seen | RESERVED:
                line = _line(node, ("sources", number, "fallback", place))
                known = ", ".join(sorted(seen | RESERVED))
                raise SettingsError(f"{path}:{line}: fallback: there is no source {name!r}; known: {known}")


def _with_key(row: Row, number: int, variables: Mapping[str, str], file: tuple[Path, yaml.Node | None]) -> Row:
    if row.api_key_env is None:
        return row
    key = variables.get(row.api_key_env)
    if not key:
        line = _line(file[1], ("sources", number, "api_key_env"))
        raise SettingsError(
            f"{file[0]}:{line}: the environment has no variable {row.api_key_env!r} with the key of {row.name!r}"
        )
    return row.model_copy(update={"key": SecretStr(key)})
