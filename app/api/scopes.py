"""Which routes an API key may reach: the one table. A route that no entry covers is closed to keys."""

from typing import Final

from app.core.enums import Scope
from app.core.errors import Forbidden
from app.crud.users import SignIn

# The first part of a path, by whole segments.
SCOPES: Final[dict[str, Scope]] = {
    "/v1": Scope.OPENAI,
    "/api/v1/chat": Scope.CHAT,
    "/api/v1/conversations": Scope.CHAT,
    "/api/v1/events": Scope.CHAT,
    "/api/v1/files": Scope.FILES,
    "/api/v1/search": Scope.FILES,
    "/api/v1/golden": Scope.FILES,
    "/api/v1/collections": Scope.FILES,
    "/api/v1/tags": Scope.FILES,
    "/api/v1/models": Scope.MODELS,
    "/api/v1/stats": Scope.STATS,
}
PASSWORD_ONLY: Final = "an API key cannot do this; sign in with a password at POST /api/v1/auth/login"  # noqa: S105


def scope_of(path: str) -> Scope | None:
    """What a key needs for a path. None: keys are not let in."""
    within = f"{path}/"
    return next((scope for prefix, scope in SCOPES.items() if within.startswith(f"{prefix}/")), None)


def check(user: SignIn, path: str) -> None:
    """Raises Forbidden when `user` came by a key that may not reach this path."""
    if user.scopes is None:
        return
    needed = scope_of(path)
    if needed is None:
        raise Forbidden(PASSWORD_ONLY)
    if needed not in user.scopes:
        has = ", ".join(sorted(user.scopes))
        raise Forbidden(
            f"this API key has no scope {needed.value!r}, only {has}; make one that has it",
            details={"scope": needed.value},
        )
