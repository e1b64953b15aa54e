"""An object storage on loopback that speaks as much of S3 as reading takes: HEAD and GET with Range and If-Match."""

import threading
from dataclasses import dataclass, field
from hashlib import md5
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self
from urllib.parse import unquote


@dataclass
class Bucket:
    """`objects` by `bucket/key`. `cuts`: after how many bytes each of the next answers breaks off."""

    objects: dict[str, bytes] = field(default_factory=dict)
    cuts: list[int] = field(default_factory=list)
    ranges: list[str] = field(default_factory=list)
    sent: int = 0
    forbidden: bool = False


class S3:
    """`with S3() as s3:` serves from threads; `s3.environment` is what a client of it needs."""

    def __init__(self) -> None:
        self.bucket = Bucket()
        handler = type("Handler", (_Handler,), {"bucket": self.bucket})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    @property
    def environment(self) -> dict[str, str]:
        return {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self._server.server_port}",
            "AWS_ALLOW_HTTP": "true",
            "AWS_ACCESS_KEY_ID": "key",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_REGION": "us-east-1",
        }

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join(10)
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    bucket: Bucket

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def log_message(self, *_: object) -> None:
        pass

    def _answer(self, *, with_body: bool) -> None:
        data = self.bucket.objects.get(unquote(self.path.partition("?")[0]).lstrip("/"))
        if self.bucket.forbidden or data is None:
            return self._head(403 if self.bucket.forbidden else 404, 0)
        etag = f'"{md5(data, usedforsecurity=False).hexdigest()}"'
        if self.headers.get("If-Match") not in {None, etag}:
            return self._head(412, 0)
        asked = self.headers.get("Range", "")
        start = int(asked.removeprefix("bytes=").partition("-")[0]) if asked else 0
        more = {"ETag": etag, "Last-Modified": "Sat, 01 Jan 2022 00:00:00 GMT"}
        if asked:
            self.bucket.ranges.append(asked)
            more["Content-Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
        self._head(206 if asked else 200, len(data) - start, **more)
        return self._body(data[start:]) if with_body else None

    def _body(self, data: bytes) -> None:
        cut = self.bucket.cuts.pop(0) if self.bucket.cuts else len(data)
        self.wfile.write(data[:cut])
        self.bucket.sent += len(data[:cut])
        if cut < len(data):
            self.close_connection = True

    def _head(self, status: int, size: int, **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(size), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
