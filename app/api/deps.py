"""What routes ask for: the current user, and the objects that the lifespan built.

All are coroutines: FastAPI would run a plain function in a thread.
"""

from typing import Annotated

from fastapi import Depends, Header, Query, Request
from fastapi.security import OAuth2PasswordBearer
from pydantic import AfterValidator

from app.core.errors import NotAuthenticated
from app.crud.users import SignIn
from app.rag.retriever import Retriever
from app.services.accounts import Accounts
from app.services.chat import ChatService
from app.services.conversations import Conversations
from app.services.documents import Documents
from app.services.streams.events import UserEvents


class FromState:
    """What the lifespan built under this name: see `State` in `app/main.py`."""

    def __init__(self, name: str) -> None:
        self._name = name

    async def __call__(self, request: Request) -> object:
        return getattr(request.state, self._name)


AccountsDep = Annotated[Accounts, Depends(FromState("accounts"))]
ConversationsDep = Annotated[Conversations, Depends(FromState("conversations"))]
ChatDep = Annotated[ChatService, Depends(FromState("chat"))]
DocumentsDep = Annotated[Documents, Depends(FromState("documents"))]
RetrieverDep = Annotated[Retriever, Depends(FromState("retriever"))]
EventsDep = Annotated[UserEvents, Depends(FromState("events"))]


class SignedIn(OAuth2PasswordBearer):
    """Who is asking, by the bearer token. One dependency for scheme, token and user: each costs on every request."""

    async def __call__(self, request: Request) -> SignIn:  # type: ignore[override]
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise NotAuthenticated(
                "sign in first: send 'Authorization: Bearer <access_token>' from POST /api/v1/auth/login"
            )
        accounts: Accounts = request.state.accounts
        return await accounts.authenticate(token)


CurrentUser = Annotated[SignIn, Depends(SignedIn(tokenUrl="/api/v1/auth/login", scheme_name="OAuth2PasswordBearer"))]


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
