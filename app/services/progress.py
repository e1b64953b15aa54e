"""Tells a user's pages how the ingestion of a file goes, and that a file is gone."""

import time
from collections import OrderedDict
from uuid import UUID

import msgspec

from app.core.enums import FileStatus
from app.db.models import File
from app.schemas.files import FileOut
from app.services.streams.events import UserEvents

INTERVAL_S = 0.3
MAX_KEPT = 1000


class FileDeleted(msgspec.Struct, frozen=True):
    """The data of the last `file` event of a file."""

    id: UUID
    change: str = "deleted"


class FileProgress:
    """A few `file` events a second per file, and every change of its status."""

    def __init__(self, events: UserEvents) -> None:
        self._events = events
        self._told: OrderedDict[UUID, tuple[str, float]] = OrderedDict()

    def tell(self, file: File) -> None:
        """Publish the file as it is now, unless the same status was told a moment ago."""
        now = time.monotonic()
        status, at = self._told.pop(file.id, ("", 0.0))
        if file.status == status and now - at < INTERVAL_S:
            self._told[file.id] = (status, at)
            return
        if not FileStatus(file.status).is_final:
            self._told[file.id] = (file.status, now)
            if len(self._told) > MAX_KEPT:
                self._told.popitem(last=False)
        body = FileOut.model_validate(file).model_dump_json().encode()
        self._events.publish(file.user_id, "file", body, subject=str(file.id))

    def tell_deleted(self, file: File) -> None:
        """Publish that the file is gone, instead of all that was told of it."""
        self._told.pop(file.id, None)
        self._events.publish(file.user_id, "file", FileDeleted(file.id), subject=str(file.id))
