"""A start that is refused says why in one sentence."""

import sys

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.core.errors import CannotStart


class OneSentence:
    """Says why the service cannot start in one sentence instead of a traceback."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            return await self.app(scope, receive, send)

        async def say(message: Message) -> None:
            if message["type"] == "lifespan.startup.failed" and isinstance(error := sys.exc_info()[1], CannotStart):
                message["message"] = str(error)
            await send(message)

        return await self.app(scope, receive, say)
