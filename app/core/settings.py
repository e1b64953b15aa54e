"""All settings, read once from the environment and `.env`, grouped and typed.

A bad value raises SettingsError with one sentence that names the variable, the value and what is allowed.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal, Self, TypeVar

from dotenv import dotenv_values
from pydantic import BeforeValidator, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import NoDecode

from app.core.errors import SettingsError
from app.core.model_settings import AIHubSettings, LLMSettings, LocalSettings, ModelFileSettings, OllamaSettings
from app.core.setting_types import (
    MIN_SECRET_CHARS,
    CommaList,
    DatabaseUrl,
    Group,
    Level,
    Networks,
    Origin,
    Seconds,
    Secret,
    commas,
    level,
)


class ServerSettings(Group):
    host: str = Field("127.0.0.1", description="an address to listen on, such as 127.0.0.1 or 0.0.0.0")
    port: int = Field(8000, ge=0, le=65535, description="a port number from 0 to 65535")
    allowed_origins: Annotated[list[Origin], NoDecode, BeforeValidator(commas)] = Field(
        default_factory=list, description="exact origins separated by commas, such as https://chat.example.org, never *"
    )
    trusted_proxies: CommaList = Field(
        default_factory=list,
        description="addresses of proxies, separated by commas, whose forwarded headers are believed",
    )
    log_level: Annotated[Level, BeforeValidator(level)] = Field(
        "INFO", description="one of DEBUG, INFO, WARNING, ERROR"
    )
    log_format: Literal["json", "text"] = Field("json", description="json or text")
    shutdown_timeout_s: Seconds = Field(10, description="seconds, more than 0")


class StorageSettings(Group):
    data_dir: Path = Field(Path("data"), description="a folder that this process may write")
    database_url: DatabaseUrl | None = Field(
        None,
        description="postgresql://user:password@host:port/name or sqlite:///path, or nothing for SQLite in DATA_DIR",
    )
    alembic_database_url: DatabaseUrl | None = Field(
        None, description="postgresql://... or sqlite:///path, or nothing for the same as DATABASE_URL"
    )
    vectordb_path: Path | None = Field(None, description="a folder for the vectors, or nothing for DATA_DIR/vectors")
    collection_name: str = Field(
        "documents",
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{1,40}$",
        description="2 to 41 letters, digits, _ or -, the first a letter or digit",
    )
    storage_quota_mb: int | None = Field(
        None, ge=1, description="megabytes that all files may take, or nothing for no limit"
    )

    @property
    def rows_url(self) -> str:
        return self.database_url or f"sqlite+aiosqlite:///{self.data_dir / 'rows.db'}"

    @property
    def migration_url(self) -> str:
        return self.alembic_database_url or self.rows_url

    @property
    def vectors_dir(self) -> Path:
        return self.vectordb_path or self.data_dir / "vectors"


class AuthSettings(Group):
    jwt_secret_key: Secret | None = Field(
        None, description=f"a random text of at least {MIN_SECRET_CHARS} characters, or nothing to have one generated"
    )
    jwt_algorithm: Literal["HS256", "HS384", "HS512"] = Field("HS256", description="one of HS256, HS384, HS512")
    jwt_access_token_expire_minutes: int = Field(30, ge=1, le=1440, description="a whole number from 1 to 1440")
    refresh_token_expire_days: int = Field(30, ge=1, le=365, description="a whole number from 1 to 365")
    registration: Literal["open", "closed"] = Field("open", description="open or closed")
    admin_username: str = Field(
        "admin", pattern=r"^[A-Za-z0-9._-]{1,64}$", description="1 to 64 letters, digits, dots, underscores or hyphens"
    )
    admin_password: SecretStr | None = Field(
        None, min_length=8, max_length=256, description="8 to 256 characters, or nothing to have one generated"
    )
    rate_limit_enabled: bool = Field(True, description="true or false")


class ChatSettings(Group):
    max_message_chars: int = Field(100_000, ge=1, le=10_000_000, description="a whole number from 1 to 10000000")
    max_openai_body_mb: int = Field(32, ge=1, le=1024, description="a whole number of megabytes from 1 to 1024")


class DocumentSettings(Group):
    max_filesize_mb: int = Field(50, ge=1, le=10_000, description="a whole number of megabytes from 1 to 10000")
    chunk_size: int = Field(1000, ge=100, le=8000, description="a whole number of characters from 100 to 8000")
    chunk_overlap: int = Field(200, ge=0, le=4000, description="a whole number of characters, less than CHUNK_SIZE")
    parse_cpu_s: Seconds = Field(60, description="CPU seconds that parsing one file may take")
    parse_memory_mb: int = Field(1024, ge=256, le=65536, description="a whole number of megabytes from 256 to 65536")
    embedding_wait_s: Seconds = Field(300, description="seconds, more than 0")
    parse_wall_s: Seconds = Field(120, description="seconds that parsing 100 pages may take")
    url_timeout_s: Seconds = Field(60, description="seconds that fetching a document by its address may take")
    url_allowed_networks: Networks = Field(
        default_factory=list, description="networks separated by commas, such as 10.1.0.0/16 or fd00:12::/48"
    )
    ocr_languages: str = Field(
        "eng",
        max_length=100,
        pattern=r"^[A-Za-z][A-Za-z0-9_/]*(\+[A-Za-z][A-Za-z0-9_/]*)*$",
        description="names of Tesseract's languages joined by +, such as eng+deu",
    )
    ocr_page_s: Seconds = Field(60, description="seconds that recognising the text of one page may take")
    ocr_total_s: Seconds = Field(900, description="seconds that recognising the text of one file may take")
    reindex: Literal["auto", "manual"] = Field("auto", description="auto or manual")

    @model_validator(mode="after")
    def _overlap_fits(self) -> Self:
        if self.chunk_overlap >= self.chunk_size:
            raise ValueError("CHUNK_OVERLAP")
        return self


@dataclass(frozen=True, slots=True)
class Settings:
    """The typed tree. Build with `Settings.load()`."""

    server: ServerSettings
    storage: StorageSettings
    auth: AuthSettings
    llm: LLMSettings
    local: LocalSettings
    ollama: OllamaSettings
    aihub: AIHubSettings
    model_files: ModelFileSettings
    chat: ChatSettings
    documents: DocumentSettings
    variables: Mapping[str, str] = field(
        repr=False, compare=False
    )  # of the environment and `.env`: rows name those with their keys

    @classmethod
    def load(cls, env_file: Path | None = Path(".env")) -> "Settings":
        """Read the environment, then `env_file`, then defaults. Raises SettingsError."""
        return cls(
            server=_load(ServerSettings, env_file),
            storage=_load(StorageSettings, env_file),
            auth=_load(AuthSettings, env_file),
            llm=_load(LLMSettings, env_file),
            local=_load(LocalSettings, env_file),
            ollama=_load(OllamaSettings, env_file),
            aihub=_load(AIHubSettings, env_file),
            model_files=_load(ModelFileSettings, env_file),
            chat=_load(ChatSettings, env_file),
            documents=_load(DocumentSettings, env_file),
            variables=_variables(env_file),
        )


GROUPS: tuple[type[Group], ...] = (
    ServerSettings,
    StorageSettings,
    AuthSettings,
    LLMSettings,
    LocalSettings,
    OllamaSettings,
    AIHubSettings,
    ModelFileSettings,
    ChatSettings,
    DocumentSettings,
)
G = TypeVar("G", bound=Group)
URL_PASSWORD = re.compile(r"(://[^/:@]*:).*@")


def _load(group: type[G], env_file: Path | None) -> G:
    try:
        return group(_env_file=env_file)
    except ValidationError as error:
        raise SettingsError(_sentence(group, error)) from None
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{str(env_file)!r} cannot be read as UTF-8 text: {error}.") from None


def _variables(env_file: Path | None) -> dict[str, str]:
    given = {} if env_file is None else dotenv_values(env_file)
    return {name: value for name, value in given.items() if value is not None} | dict(os.environ)


def _sentence(group: type[Group], error: ValidationError) -> str:
    first = error.errors()[0]
    name = str(first["loc"][0]) if first["loc"] else str(first["ctx"]["error"]).lower()
    field = group.model_fields[name]
    value = first["input"].get(name, field.default) if isinstance(first["input"], dict) else first["input"]
    shown = "(hidden)" if "SecretStr" in str(field.annotation) else URL_PASSWORD.sub(r"\1(hidden)@", repr(value))
    return f"{name.upper()}={shown} cannot be used: it must be {field.description}."


def environment(**changes: str) -> dict[str, str]:
    """This process's environment with changes, for a child process."""
    return {**os.environ, **changes}


def silence_libraries() -> None:
    """Tell onnxruntime not to report to its maker. It looks once, when it is imported."""
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
