"""Signed-in users of a running service."""

import asyncio
from uuid import uuid4

import httpx

from tests.service import ADMIN_PASSWORD, Service

PASSWORD = "a long password"
SOON_S = 60


class Person:
    """A client that has registered and signed in, and what it does with files."""

    def __init__(self, service: Service, *, token: str, username: str = "") -> None:
        self.username = username
        self.http = service.client(headers={"Authorization": f"Bearer {token}"})

    @classmethod
    async def of(cls, service: Service) -> "Person":
        body = {"username": uuid4().hex[:20], "password": PASSWORD}
        async with service.client() as client:
            (await client.post("/api/v1/auth/register", json=body)).raise_for_status()
            answer = await client.post("/api/v1/auth/login", json=body)
        return cls(service, token=answer.json()["access_token"], username=body["username"])

    @classmethod
    async def admin(cls, service: Service) -> "Person":
        """The administrator that the first start has made."""
        async with service.client() as client:
            answer = await client.post("/api/v1/auth/login", json={"username": "admin", "password": ADMIN_PASSWORD})
        return cls(service, token=answer.json()["access_token"])

    async def upload(
        self, data: bytes, *, name: str = "notes.txt", key: str | None = None, **fields: str
    ) -> httpx.Response:
        headers = {"Idempotency-Key": key} if key else {}
        form = {"file": (name, data, "application/octet-stream")}
        return await self.http.post("/api/v1/files/upload", files=form, data=fields, headers=headers)

    async def until_final(self, file_id: str) -> dict[str, object]:
        async with asyncio.timeout(SOON_S):
            while True:
                file: dict[str, object] = (await self.http.get(f"/api/v1/files/status/{file_id}")).json()
                if file["status"] in {"ready", "failed", "cancelled"}:
                    return file
                await asyncio.sleep(0.05)

    async def ready(self, data: bytes, *, name: str = "notes.txt", **fields: str) -> str:
        """Upload and wait. Gives the file's id."""
        accepted = await self.upload(data, name=name, **fields)
        assert accepted.status_code == 202, accepted.text
        file = await self.until_final(accepted.json()["id"])
        assert file["status"] == "ready", file
        return str(file["id"])

    async def search(self, query: str, **more: object) -> httpx.Response:
        return await self.http.post("/api/v1/search", json={"query": query, **more})

    async def collection(self, *file_ids: str, name: str = "Books") -> str:
        """A new collection of this user with files of his. Gives its id."""
        made = await self.http.post("/api/v1/collections", json={"name": name})
        assert made.status_code == 201, made.text
        for file_id in file_ids:
            added = await self.http.put(f"/api/v1/collections/{made.json()['id']}/files/{file_id}")
            assert added.status_code == 204, added.text
        return str(made.json()["id"])

    async def share(self, collection_id: str, username: str | None, access: str = "read") -> str:
        """With a user, or with everybody. Gives the share's id."""
        body = {"username": username, "access": access}
        made = await self.http.post(f"/api/v1/collections/{collection_id}/shares", json=body)
        assert made.status_code == 201, made.text
        return str(made.json()["id"])

    async def key(self, *scopes: str, **more: object) -> str:
        """A new API key of this user: what it may do, or nothing for the default."""
        body = {"name": uuid4().hex, **({"scopes": scopes} if scopes else {}), **more}
        made = await self.http.post("/api/v1/auth/keys", json=body)
        assert made.status_code == 201, made.text
        return str(made.json()["key"])

    async def aclose(self) -> None:
        await self.http.aclose()
