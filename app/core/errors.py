"""Every error that a person or a client may see.

AppError
├── ValidationFailed      422 validation_error
├── NotAuthenticated      401 not_authenticated
├── Forbidden             403 forbidden
├── NotFound              404 not_found
│   └── UnknownName       404 not_found, lists the known names
├── Conflict              409 conflict
├── TooLarge              413 too_large
├── UnsupportedType       415 unsupported_type
├── RateLimited           429 rate_limited
├── QuotaExceeded         429 quota_exceeded
├── UpstreamError
│   ├── UpstreamRefused       502 upstream_refused
│   ├── UpstreamUnavailable   503 upstream_unavailable
│   └── UpstreamTimeout       504 upstream_timeout
├── ContextOverflow       422 context_overflow
├── ModelUnavailable      503 model_unavailable
├── StorageFull           507 storage_full
└── Internal              500 internal
CannotStart: shown on the terminal as one sentence
├── SettingsError
├── DataFolderInUse
└── DatabaseUnusable
"""

from collections.abc import Mapping
from typing import ClassVar

import msgspec


class AppError(Exception):
    """An error with an HTTP status, a stable code, a sentence for people and details for programs."""

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal"

    def __init__(
        self, message: str, *, details: Mapping[str, object] | None = None, retry_after_s: float | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.details = dict(details or {})
        self.retry_after_s = retry_after_s

    @property
    def retryable(self) -> bool:
        """Whether the same request may succeed later."""
        return self.status in {429, 502, 503, 504}

    def body(self, request_id: str) -> bytes:
        """The one JSON error shape of the API."""
        return msgspec.json.encode(
            {
                "error": {
                    "code": self.code,
                    "message": self.message,
                    "details": self.details,
                    "request_id": request_id,
                }
            }
        )


class ValidationFailed(AppError):
    status, code = 422, "validation_error"


class NotAuthenticated(AppError):
    status, code = 401, "not_authenticated"


class Forbidden(AppError):
    status, code = 403, "forbidden"


class NotFound(AppError):
    status, code = 404, "not_found"


class UnknownName(NotFound):
    """A name that no table has. Raised with `UnknownName.of("provider", "x", known)`."""

    @classmethod
    def of(cls, kind: str, name: str, known: list[str]) -> "UnknownName":
        return cls(f"unknown {kind} {name!r}; known: {', '.join(known)}", details={"known": known})


class Conflict(AppError):
    status, code = 409, "conflict"


class TooLarge(AppError):
    status, code = 413, "too_large"


class UnsupportedType(AppError):
    status, code = 415, "unsupported_type"


class RateLimited(AppError):
    status, code = 429, "rate_limited"


class QuotaExceeded(AppError):
    status, code = 429, "quota_exceeded"


class UpstreamError(AppError):
    """The model's server failed; adapters map every fault of theirs to one of the three below."""


class UpstreamRefused(UpstreamError):
    status, code = 502, "upstream_refused"


class UpstreamUnavailable(UpstreamError):
    status, code = 503, "upstream_unavailable"


class UpstreamTimeout(UpstreamError):
    status, code = 504, "upstream_timeout"


class ContextOverflow(AppError):
    status, code = 422, "context_overflow"


class ModelUnavailable(AppError):
    status, code = 503, "model_unavailable"


class StorageFull(AppError):
    status, code = 507, "storage_full"


class Internal(AppError):
    status, code = 500, "internal"


def by_code(code: str) -> type[AppError]:
    """The class of a stored error. Internal for a code that is not known."""
    found = [AppError]
    for kind in found:
        found.extend(kind.__subclasses__())
    return next((kind for kind in found if vars(kind).get("code") == code and kind is not AppError), Internal)


class CannotStart(Exception):
    """The process cannot start. The message is one sentence that says why and how to mend it."""


class SettingsError(CannotStart):
    """A setting has a value that cannot be used."""


class DataFolderInUse(CannotStart):
    """Another process owns the data folder."""


class DatabaseUnusable(CannotStart):
    """The database is out of reach, or was written by a newer version."""
