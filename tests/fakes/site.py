"""A web site whose paths say how it answers."""

import gzip
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

PDF = b"%PDF-1.7 " + b"x" * 100_000


async def _answer(request: web.Request) -> web.StreamResponse:
    match request.path:
        case "/report" | "/a b.PDF":
            return web.Response(body=PDF, content_type="application/pdf")
        case "/" | "/wiki/Page.aspx":
            return web.Response(text="<p>Hello</p>", content_type="text/html")
        case "/named":
            return web.Response(body=b"a,b", headers={"Content-Disposition": 'attachment; filename="../data.csv"'})
        case "/packed":
            return web.Response(body=gzip.compress(b"text " * 1000), headers={"Content-Encoding": "gzip"})
        case "/cut":
            response = web.StreamResponse(headers={"Content-Length": "100"})
            await response.prepare(request)
            await response.write(b"half")
            assert request.transport is not None
            request.transport.close()
            return response
        case "/picture":
            return web.Response(body=b"\x89PNG\r\n\x1a\n" + bytes(100), content_type="image/png")
        case "/nothing":
            return web.Response(body=b"")
        case "/again":
            raise web.HTTPFound("/again")
        case _:
            if to := request.query.get("to"):
                return web.Response(status=302, headers={"Location": to})
            return web.Response(status=int(request.query.get("status", "404")))


@asynccontextmanager
async def site(host: str = "127.0.0.1") -> AsyncIterator[str]:
    runner = web.AppRunner(web.Application())
    runner.app.router.add_get("/{path:.*}", _answer)
    await runner.setup()
    await (listening := web.TCPSite(runner, host, 0)).start()
    assert listening._server is not None
    try:
        yield f"http://{host}:{listening._server.sockets[0].getsockname()[1]}"  # type: ignore[attr-defined]
    finally:
        await runner.cleanup()
