"""A fake token endpoint: counts what is asked, and hands out tokens that it numbers."""

import asyncio
import urllib.parse
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from tests.fakes.http import answer, read_request


@dataclass
class Keycloak:
    """`status` is what it answers; `pause_s` before each answer; `life_s` of a token."""

    port: int = 0
    status: int = 200
    pause_s: float = 0.0
    life_s: float = 300.0
    body: dict[str, object] | None = None
    forms: list[dict[str, str]] = field(default_factory=list)
    routes: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def token(self) -> str:
        """The newest one."""
        return f"token-{len(self.forms)}"

    async def serve(self, reader: StreamReader, writer: StreamWriter) -> None:
        request = await read_request(reader)
        if request is not None:
            self.routes.append(request[0])
            self.forms.append(dict(urllib.parse.parse_qsl(request[2].decode())))
            good = {"access_token": self.token, "expires_in": self.life_s, "token_type": "Bearer"}
            bad = {"error": "invalid_grant", "error_description": "Invalid user credentials"}
            await asyncio.sleep(self.pause_s)
            writer.write(answer(self.status, self.body or (good if self.status == 200 else bad)))
            await writer.drain()
        writer.close()


@asynccontextmanager
async def keycloak(**settings: object) -> AsyncIterator[Keycloak]:
    fake = Keycloak(**settings)  # type: ignore[arg-type]
    server = await asyncio.start_server(fake.serve, "127.0.0.1", 0)
    fake.port = server.sockets[0].getsockname()[1]
    try:
        yield fake
    finally:
        server.close()
