"""What `ingest` asks of a service."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from app.cli.connection import Connection
from app.cli.ingest.plan import PageTags, Tags

File = dict[str, Any]


class Service:
    """Every method raises the AppError that the service answered with."""

    def __init__(self, connection: Connection) -> None:
        self._ask = connection.ask

    async def known(self, sha256: str) -> File | None:
        """A file of the library with these bytes."""
        return next(iter(await self._files(sha256=sha256)), None)

    async def of_source(self, source: str) -> list[File]:
        """The files that came from there, newest first."""
        return await self._files(source_url=source)

    async def upload(self, path: Path, name: str, source: str) -> File:
        with path.open("rb") as file:
            form = {"file": (name, file, "application/octet-stream")}
            return await self._file("POST", "/files/upload", files=form, data={"source_url": source})

    async def fetch(self, url: str) -> File:
        return await self._file("POST", "/files/url", json={"url": url})

    async def file(self, file_id: str) -> File:
        return await self._file("GET", f"/files/status/{file_id}")

    async def retry(self, file_id: str) -> File:
        return await self._file("POST", f"/files/{file_id}/retry")

    async def delete(self, file_id: str) -> None:
        await self._ask("DELETE", f"/files/{file_id}")

    async def tag(self, file_id: str, tags: Tags, page_tags: Sequence[PageTags]) -> None:
        body = {"tags": tags, "page_tags": [each.model_dump() for each in page_tags]}
        await self._ask("PUT", f"/files/{file_id}/tags", json=body)

    async def collection(self, name: str) -> str:
        """The id of the user's own collection of this name, which is made if it is not there."""
        cursor: str | None = None
        while True:
            page = await self._ask(
                "GET", "/collections", params={"limit": 200} | ({"cursor": cursor} if cursor else {})
            )
            for each in page["items"]:
                if each["name"] == name and each["access"] == "owner":
                    return str(each["id"])
            cursor = page.get("next_cursor")
            if cursor is None:
                return str((await self._ask("POST", "/collections", json={"name": name}))["id"])

    async def collect(self, collection_id: str, file_id: str) -> None:
        await self._ask("PUT", f"/collections/{collection_id}/files/{file_id}")

    async def _file(self, method: str, path: str, **options: Any) -> File:
        file: File = await self._ask(method, path, **options)
        return file

    async def _files(self, **params: str) -> list[File]:
        items: list[File] = (await self._ask("GET", "/files", params={"limit": "50", **params}))["items"]
        return items
