"""Register, sign in, stay signed in, sign out."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Request
from pydantic import ValidationError

from app.api.deps import AccountsDep, ClientAddress, CurrentUser, no_api_key
from app.core.errors import ValidationFailed
from app.schemas.auth import Credentials, RefreshRequest, Registration, TokenPair, UserOut
from app.services.accounts import Tokens

router = APIRouter(prefix="/auth", tags=["accounts"])

FORM: Final = "application/x-www-form-urlencoded"
LOGIN_BODY: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": Credentials.model_json_schema()},
            FORM: {"schema": Credentials.model_json_schema()},
        },
    }
}

PASSWORD_ONLY: Final = [Depends(no_api_key)]


async def credentials(request: Request) -> Credentials:
    """The OAuth2 password form, or the same two fields as JSON."""
    try:
        if request.headers.get("content-type", "").startswith((FORM, "multipart/form-data")):
            form = await request.form(max_files=0, max_fields=20)
            return Credentials.model_validate({name: form.get(name) for name in ("username", "password")})
        return Credentials.model_validate_json(await request.body())
    except ValidationError as error:
        problem = error.errors()[0]
        field = ".".join(map(str, problem["loc"]))[:80] or "body"
        said = problem["msg"].removeprefix("Value error, ")
        raise ValidationFailed(f"{field}: {said}; send username and password as JSON or as a form") from None


def pair(tokens: Tokens) -> TokenPair:
    return TokenPair(access_token=tokens.access, refresh_token=tokens.refresh, expires_in=tokens.expires_in_s)


@router.post("/register", status_code=201, dependencies=PASSWORD_ONLY)
async def register(body: Registration, accounts: AccountsDep, address: ClientAddress) -> UserOut:
    """Make an account. The first one is not an administrator's: that one is made at the first start."""
    user = await accounts.register(username=body.username, email=body.email, password=body.password, address=address)
    return UserOut.model_validate(user)


@router.post("/login", openapi_extra=LOGIN_BODY, dependencies=PASSWORD_ONLY)
async def login(
    body: Annotated[Credentials, Depends(credentials)], accounts: AccountsDep, address: ClientAddress
) -> TokenPair:
    """Sign in with a username and a password, sent as JSON or as an OAuth2 form."""
    return pair(await accounts.login(username=body.username, password=body.password, address=address))


@router.post("/refresh", dependencies=PASSWORD_ONLY)
async def refresh(body: RefreshRequest, accounts: AccountsDep) -> TokenPair:
    """A new pair of tokens. Each refresh token works once; a second use ends the sign-in."""
    return pair(await accounts.refresh(body.refresh_token))


@router.post("/logout", status_code=204, dependencies=PASSWORD_ONLY)
async def logout(body: RefreshRequest, accounts: AccountsDep) -> None:
    """End this sign-in: its access tokens stop working at once."""
    await accounts.logout(body.refresh_token)


@router.get("/me")
async def me(user: CurrentUser, accounts: AccountsDep) -> UserOut:
    """Who I am."""
    return UserOut.model_validate(await accounts.user(user.user_id))
