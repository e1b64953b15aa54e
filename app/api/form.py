"""A form with one file, read as it arrives.

Starlette's parser first writes the whole file to a temporary one, without a limit of size: an upload is written twice,
and a refused type or size has filled the disk before anybody could refuse it.
"""

import asyncio
from collections.abc import AsyncIterator

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import ClientDisconnect, Request

from app.core.errors import ValidationFailed

FILE_FIELD = "file"
MAX_FIELD_BYTES = 1 << 15  # of all fields together
STALL_TIMEOUT_S = 60


class FileForm:
    """`name` after `open()`, then `body()` to its end, then `fields()`. Raises ValidationFailed for a broken form."""

    def __init__(self, request: Request) -> None:
        kind, options = parse_options_header(request.headers.get("content-type"))
        if kind != b"multipart/form-data" or b"boundary" not in options:
            raise ValidationFailed(f"send the file as multipart/form-data, in the field {FILE_FIELD!r}")
        self._stream = request.stream()
        self._parser = MultipartParser(
            options[b"boundary"],
            {
                "on_part_begin": self._on_part_begin,
                "on_part_data": self._on_part_data,
                "on_part_end": self._on_part_end,
                "on_header_field": self._on_header_field,
                "on_header_value": self._on_header_value,
                "on_header_end": self._on_header_end,
                "on_headers_finished": self._on_headers_finished,
                "on_end": self._on_end,
            },
        )
        self.name: str | None = None
        self._pieces: list[bytes] = []
        self._fields: dict[str, str] = {}
        self._field_bytes = 0
        self._part: str = ""
        self._value = bytearray()
        self._in_file = self._file_ended = self._ended = False
        self._header = (bytearray(), bytearray())
        self._disposition = b""

    async def open(self) -> str:
        """Read up to the file's first bytes. Gives its name as the client said it."""
        while self.name is None:
            if not await self._feed() and self.name is None:
                raise ValidationFailed(f"the form has no file in the field {FILE_FIELD!r}")
        return self.name

    async def body(self) -> AsyncIterator[bytes]:
        """The file's bytes as they come."""
        while True:
            pieces, self._pieces = self._pieces, []
            for piece in pieces:
                yield piece
            if self._file_ended:
                return
            await self._feed()

    async def fields(self) -> dict[str, str]:
        """The other fields, those before and those after the file."""
        while await self._feed():
            pass
        return self._fields

    async def _feed(self) -> bool:
        """Parse the next bytes. False at the end of the form."""
        if self._ended:
            return False
        try:
            async with asyncio.timeout(STALL_TIMEOUT_S):
                data = await anext(self._stream, b"")
        except ClientDisconnect:
            raise ValidationFailed("the upload was cut off; send it again") from None
        except TimeoutError:
            raise ValidationFailed(f"no data came for {STALL_TIMEOUT_S} s; send the file again") from None
        try:
            self._parser.write(data)
        except FormParserError as error:
            raise ValidationFailed(f"the form cannot be read: {error}") from None
        if not data and not self._ended:  # Starlette gives an empty piece at the end of a body, and only there
            raise ValidationFailed("the upload ended before the form did; send it again")
        return not self._ended

    def _on_part_begin(self) -> None:
        self._disposition = b""
        self._value = bytearray()

    def _on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._header[0].extend(data[start:end])

    def _on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._header[1].extend(data[start:end])

    def _on_header_end(self) -> None:
        name, value = self._header
        if name.lower() == b"content-disposition":
            self._disposition = bytes(value)
        self._header = (bytearray(), bytearray())

    def _on_headers_finished(self) -> None:
        _, options = parse_options_header(self._disposition)
        self._part = _text(options.get(b"name", b""))
        self._in_file = b"filename" in options
        if not self._in_file:
            return
        if self.name is not None or self._part != FILE_FIELD:
            raise ValidationFailed(f"send one file per request, in the field {FILE_FIELD!r}")
        self.name = _text(options[b"filename"])

    def _on_part_data(self, data: bytes, start: int, end: int) -> None:
        if self._in_file:
            self._pieces.append(data[start:end])
            return
        self._field_bytes += end - start
        if self._field_bytes > MAX_FIELD_BYTES:
            raise ValidationFailed(f"the form's fields are larger than {MAX_FIELD_BYTES} bytes")
        self._value.extend(data[start:end])

    def _on_part_end(self) -> None:
        if self._in_file:
            self._file_ended = True
        else:
            self._fields[self._part] = _text(bytes(self._value))

    def _on_end(self) -> None:
        self._ended = True


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")


def declared_bytes(request: Request) -> int | None:
    """What Content-Length says."""
    length = request.headers.get("content-length", "")
    return int(length) if length.isascii() and length.isdigit() else None
