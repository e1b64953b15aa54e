"""All settings, read once from the environment and `.env`, grouped and typed.

A bad value raises SettingsError with one sentence that names the variable, the value and what is allowed.
"""

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, Self, TypeVar, get_args
from urllib.parse import SplitResult, urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from app.core.errors import SettingsError

Level = Literal["DEBUG", "INFO", "WARNING", "ERROR"]
MIN_SECRET_CHARS = 32
MIN_SECRET_VARIETY = 8
# Secrets of examples and tutorials, in lower case and without punctuation; a random one contains none of them.
KNOWN_SECRETS = (
    *("changeme", "changethis", "changein", "replaceme", "replacethis", "placeholder", "donotuse", "dontuse"),
    *("yoursecret", "yourjwt", "yourkey", "yoursuper", "mysecret", "supersecret", "secretkey", "topsecret", "insecure"),
    "09d25e094faa6ca2556c818166b7a9563b93f7099f6f0f4caa6cf63b88e8d3e7",  # of FastAPI's tutorial
)


def _strong(secret: SecretStr) -> SecretStr:
    value = secret.get_secret_value()
    letters = "".join(filter(str.isalnum, value.lower()))
    if len(set(value)) < MIN_SECRET_VARIETY or any(known in letters for known in KNOWN_SECRETS):
        raise ValueError("a known or repetitive secret")
    return secret


def _asyncpg_url(url: str) -> str:
    for prefix in ("postgresql+asyncpg://", "postgresql://", "postgres://"):
        if url.startswith(prefix):
            address, mark, query = url[len(prefix) :].partition("?")
            port = re.search(r":([^:@/\]]*)$", address.rpartition("@")[2].partition("/")[0])
            if port and not (port[1].isdecimal() and 0 < int(port[1]) < 65536):
                raise ValueError("not a port")
            query = re.sub(r"(^|&)sslmode=", r"\1ssl=", query)  # as asyncpg calls libpq's option
            return f"postgresql+asyncpg://{address}{mark}{query}"
    for prefix in ("sqlite+aiosqlite://", "sqlite://"):
        path = url.removeprefix(prefix)
        if path != url and path.startswith("/") and path.partition("?")[0] not in {"/", "/:memory:"}:
            return "sqlite+aiosqlite://" + path
    raise ValueError("not a PostgreSQL URL, or not a SQLite file")


def _origin(value: str) -> str:
    value = value.lower()  # as browsers send it
    parts = urlsplit(value)
    if value != f"{parts.scheme}://{parts.netloc}" or not _is_http(parts):
        raise ValueError("not an origin")
    return value


def _base_url(value: str) -> str:
    if not _is_http(urlsplit(value)):
        raise ValueError("not an HTTP URL")
    return value.rstrip("/")


def _is_http(parts: SplitResult) -> bool:
    """Raises ValueError for a port that is none."""
    return parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0


def _commas(value: object) -> object:
    return [v.strip() for v in value.split(",") if v.strip()] if isinstance(value, str) else value


def _level(value: object) -> object:
    """A level in any case; what is none stays as it was written."""
    return value.upper() if isinstance(value, str) and value.upper() in get_args(Level) else value


Secret = Annotated[SecretStr, Field(min_length=MIN_SECRET_CHARS), AfterValidator(_strong)]
DatabaseUrl = Annotated[str, AfterValidator(_asyncpg_url)]
Origin = Annotated[str, AfterValidator(_origin)]
BaseUrl = Annotated[str, AfterValidator(_base_url)]
CommaList = Annotated[list[str], NoDecode, BeforeValidator(_commas)]
Seconds = Annotated[float, Field(gt=0, le=86400)]


class Group(BaseSettings):
    """One group of settings. A field's description says what is allowed: start-up errors quote it."""

    model_config = SettingsConfigDict(env_file_encoding="utf-8", extra="ignore", frozen=True, env_ignore_empty=True)


class ServerSettings(Group):
    host: str = Field("127.0.0.1", description="an address to listen on, such as 127.0.0.1 or 0.0.0.0")
    port: int = Field(8000, ge=0, le=65535, description="a port number from 0 to 65535")
    allowed_origins: Annotated[list[Origin], NoDecode, BeforeValidator(_commas)] = Field(
        default_factory=list, description="exact origins separated by commas, such as https://chat.example.org, never *"
    )
    trusted_proxies: CommaList = Field(
        default_factory=list,
        description="addresses of proxies, separated by commas, whose forwarded headers are believed",
    )
    log_level: Annotated[Level, BeforeValidator(_level)] = Field(
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


class LLMSettings(Group):
    default_model_source: str | None = Field(
        None,
        description="openai, passages or the name of a row in config/models.yaml, or nothing for the first configured",
    )
    openai_api_key: SecretStr | None = Field(None, description="the endpoint's key, or nothing when it needs none")
    openai_model: str | None = Field(None, description="a model's name at the endpoint")
    openai_base_url: BaseUrl | None = Field(
        None, description="an http:// or https:// URL such as http://localhost:8080/v1"
    )
    openai_context_tokens: int = Field(
        32768, ge=256, le=100_000_000, description="a whole number of tokens, at least 256"
    )
    first_token_timeout_s: Seconds = Field(60, description="seconds, more than 0")
    idle_timeout_s: Seconds = Field(30, description="seconds, more than 0")
    total_timeout_s: Seconds = Field(600, description="seconds, more than 0")


class ChatSettings(Group):
    max_message_chars: int = Field(100_000, ge=1, le=10_000_000, description="a whole number from 1 to 10000000")


class DocumentSettings(Group):
    max_filesize_mb: int = Field(50, ge=1, le=10_000, description="a whole number of megabytes from 1 to 10000")
    chunk_size: int = Field(1000, ge=100, le=8000, description="a whole number of characters from 100 to 8000")
    chunk_overlap: int = Field(200, ge=0, le=4000, description="a whole number of characters, less than CHUNK_SIZE")
    parse_cpu_s: Seconds = Field(60, description="CPU seconds that parsing one file may take")
    parse_memory_mb: int = Field(1024, ge=256, le=65536, description="a whole number of megabytes from 256 to 65536")
    parse_wall_s: Seconds = Field(120, description="seconds that parsing 100 pages may take")

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
    chat: ChatSettings
    documents: DocumentSettings

    @classmethod
    def load(cls, env_file: Path | None = Path(".env")) -> "Settings":
        """Read the environment, then `env_file`, then defaults. Raises SettingsError."""
        return cls(
            server=_load(ServerSettings, env_file),
            storage=_load(StorageSettings, env_file),
            auth=_load(AuthSettings, env_file),
            llm=_load(LLMSettings, env_file),
            chat=_load(ChatSettings, env_file),
            documents=_load(DocumentSettings, env_file),
        )


GROUPS: tuple[type[Group], ...] = (
    ServerSettings,
    StorageSettings,
    AuthSettings,
    LLMSettings,
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
