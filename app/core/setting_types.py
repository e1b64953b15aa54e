"""What the groups of settings are made of: their base, and types that refuse a bad value."""

import re
from ipaddress import IPv4Network, IPv6Network
from typing import Annotated, Literal, get_args
from urllib.parse import SplitResult, urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

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


def _header_word(secret: SecretStr) -> SecretStr:
    if not re.fullmatch(r"[!-~]+", secret.get_secret_value()):
        raise ValueError("not a word of printable ASCII")
    return secret


def _base_url(value: str) -> str:
    if not _is_http(urlsplit(value)):
        raise ValueError("not an HTTP URL")
    return value.rstrip("/")


def _is_http(parts: SplitResult) -> bool:
    """Raises ValueError for a port that is none."""
    return parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0


def commas(value: object) -> object:
    return [v.strip() for v in value.split(",") if v.strip()] if isinstance(value, str) else value


def level(value: object) -> object:
    """A level in any case; what is none stays as it was written."""
    return value.upper() if isinstance(value, str) and value.upper() in get_args(Level) else value


Secret = Annotated[SecretStr, Field(min_length=MIN_SECRET_CHARS), AfterValidator(_strong)]
DatabaseUrl = Annotated[str, AfterValidator(_asyncpg_url)]
Origin = Annotated[str, AfterValidator(_origin)]
HeaderWord = Annotated[SecretStr, AfterValidator(_header_word)]
BaseUrl = Annotated[str, AfterValidator(_base_url)]
CommaList = Annotated[list[str], NoDecode, BeforeValidator(commas)]
BaseUrls = Annotated[list[BaseUrl], NoDecode, BeforeValidator(commas)]
Networks = Annotated[list[IPv4Network | IPv6Network], NoDecode, BeforeValidator(commas)]
Seconds = Annotated[float, Field(gt=0, le=86400)]


class Group(BaseSettings):
    """One group of settings. A field's description says what is allowed: start-up errors quote it."""

    model_config = SettingsConfigDict(env_file_encoding="utf-8", extra="ignore", frozen=True, env_ignore_empty=True)
