"""The rows of config/models.yaml: OpenAI-compatible endpoints by name. Whatever is wrong is told with file and line."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from app.core.setting_types import BaseUrl
from app.core.yaml_files import YamlFile, read_yaml
from app.services.llm.base import ModelInfo, ModelKind
from app.services.llm.source import Price

RESERVED = frozenset({"openai", "local", "ollama", "aihub", "passages"})
NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"

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
        file = read_yaml(path, _File)
    except FileNotFoundError:
        return []
    rows = file.content.sources
    _check(rows, file)
    return [_with_key(row, number, variables, file) for number, row in enumerate(rows)]


def _check(rows: list[Row], file: YamlFile[_File]) -> None:
    seen: set[str] = set()
    for number, row in enumerate(rows):
        where = ("sources", number, "name")
        if row.name in RESERVED:
            raise file.error(where, f"the name {row.name!r} belongs to a built-in source; choose another")
        if row.name in seen:
            raise file.error(where, f"the name {row.name!r} is given twice")
        seen.add(row.name)
    for number, row in enumerate(rows):
        for place, name in enumerate(row.fallback):
            if name.partition("/")[0] not in seen | RESERVED:
                known = ", ".join(sorted(seen | RESERVED))
                raise file.error(
                    ("sources", number, "fallback", place), f"fallback: there is no source {name!r}; known: {known}"
                )


def _with_key(row: Row, number: int, variables: Mapping[str, str], file: YamlFile[_File]) -> Row:
    if row.api_key_env is None:
        return row
    key = variables.get(row.api_key_env)
    if not key:
        raise file.error(
            ("sources", number, "api_key_env"),
            f"the environment has no variable {row.api_key_env!r} with the key of {row.name!r}",
        )
    return row.model_copy(update={"key": SecretStr(key)})
