"""What routes ask for: the current user, and the objects that the lifespan built.

All are coroutines: FastAPI would run a plain function in a thread.
"""

from collections.abc import Callable
from typing import Annotated

from fastapi import Depends, Header, Query, Request
from fastapi.security import OAuth2PasswordBearer
from pydantic import AfterValidator

from app.api import scopes
from app.core.enums import Role
from app.core.errors import Forbidden, NotAuthenticated
from app.crud.users import SignIn
from app.db.session import Database
from app.rag.retriever import Retriever
from app.services.accounts import Accounts
from app.services.chat import ChatService
from app.services.collections import Collections
from app.services.completions import Completions
from app.services.conversations import Conversations
from app.services.doctoring import Doctor
from app.services.documents import Documents
from app.services.embeddings import TextEmbeddings
from app.services.fetching import Fetcher
from app.services.golden import Golden
from app.services.keys import KEY_PREFIX, Keys
from app.services.llm.store.offer import Offers
from app.services.models import Models
from app.services.pulls import Pulls
from app.services.rebuilding import Rebuilding
from app.services.stored_completions import StoredCompletions
from app.services.streams.events import UserEvents
from app.services.tags import FileTags
from app.services.usage import UsageFigures


class FromState:
    """What the lifespan built under this name: see `State` in `app/api/state.py`."""

    def __init__(self, name: str) -> None:
        self._name = name

    async def __call__(self, request: Request) -> object:
        return getattr(request.state, self._name)


class OverRows:
    """A use case that keeps nothing of its own between requests: made for each, over the database."""

    def __init__(self, made: Callable[[Database], object]) -> None:
        self._made = made

    async def __call__(self, request: Request) -> object:
        return self._made(request.state.db)


AccountsDep = Annotated[Accounts, Depends(FromState("accounts"))]
KeysDep = Annotated[Keys, Depends(FromState("keys"))]
ConversationsDep = Annotated[Conversations, Depends(FromState("conversations"))]
ChatDep = Annotated[ChatService, Depends(FromState("chat"))]
CompletionsDep = Annotated[Completions, Depends(FromState("completions"))]
StoredDep = Annotated[StoredCompletions, Depends(FromState("stored_completions"))]
EmbeddingsDep = Annotated[TextEmbeddings, Depends(FromState("embeddings"))]
FetcherDep = Annotated[Fetcher, Depends(FromState("fetcher"))]
GoldenDep = Annotated[Golden, Depends(FromState("golden"))]
DocumentsDep = Annotated[Documents, Depends(FromState("documents"))]
CollectionsDep = Annotated[Collections, Depends(OverRows(Collections))]
TagsDep = Annotated[FileTags, Depends(OverRows(FileTags))]
RetrieverDep = Annotated[Retriever, Depends(FromState("retriever"))]
UsageDep = Annotated[UsageFigures, Depends(FromState("usage"))]
PullsDep = Annotated[Pulls, Depends(FromState("pulls"))]
ModelsDep = Annotated[Models, Depends(FromState("models"))]
OffersDep = Annotated[Offers, Depends(FromState("offers"))]
DoctorDep = Annotated[Doctor, Depends(FromState("doctor"))]
RebuildingDep = Annotated[Rebuilding, Depends(FromState("rebuilding"))]
EventsDep = Annotated[UserEvents, Depends(FromState("events"))]


def credential(request: Request) -> str:
    """The access token or API key that a request carries, or nothing."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if token and scheme.lower() == "bearer":
        return token
    key = request.headers.get("x-api-key", "")
    return key if key.startswith(KEY_PREFIX) else ""


class SignedIn(OAuth2PasswordBearer):
    """Who is asking, by access token or API key, and whether the key may reach this route.

    One dependency for scheme, token and user: each costs on every request.
    """

    async def __call__(self, request: Request) -> SignIn:  # type: ignore[override]
        given = credential(request)
        if not given:
            raise NotAuthenticated(
                "sign in first: send 'Authorization: Bearer <access_token>' from POST /api/v1/auth/login, or an API key"
            )
        accounts: Accounts = request.state.accounts
        user = await accounts.authenticate(given)
        scopes.check(user, request.scope["path"])
        return user


CurrentUser = Annotated[
    SignIn,
    Depends(
        SignedIn(
            tokenUrl="/api/v1/auth/login",
            scheme_name="OAuth2PasswordBearer",
            description="An access token from POST /api/v1/auth/login, or an API key from POST /api/v1/auth/keys. "
            "A key goes into X-API-Key as well, and reaches what its scopes say.",
        )
    ),
]


async def no_api_key(request: Request) -> None:
    """For what needs a password or a refresh token of its own. Raises Forbidden."""
    if credential(request).startswith(KEY_PREFIX):
        raise Forbidden(scopes.PASSWORD_ONLY)


async def administrator(user: CurrentUser) -> SignIn:
    if user.role is not Role.ADMIN:
        raise Forbidden("only an administrator may do this")
    return user


Administrator = Annotated[SignIn, Depends(administrator)]


def printable(key: str) -> str:
    if not key.isprintable():
        raise ValueError("only printable characters are allowed")
    return key


IdempotencyKey = Annotated[
    Annotated[str, AfterValidator(printable)] | None,
    Header(
        alias="Idempotency-Key", min_length=1, max_length=200, description="a retry with the same key never asks twice"
    ),
]


async def client_address(request: Request) -> str:
    return request.client.host if request.client else "unknown"


ClientAddress = Annotated[str, Depends(client_address)]

Cursor = Annotated[str | None, Query(max_length=200, description="next_cursor of the page before")]
Limit = Annotated[int, Query(ge=1, le=200, description="items per page")]
