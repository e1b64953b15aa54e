"""Sends a stored file, whole or in ranges: https://www.rfc-editor.org/rfc/rfc9110#name-range-requests"""

from starlette.responses import FileResponse, MalformedRangeHeader


class Download(FileResponse):
    """A `Range` that cannot be read is as good as none; one outside of the file is 416, with the size."""

    @classmethod
    def _parse_range_header(cls, http_range: str, file_size: int) -> list[tuple[int, int]]:
        try:
            return super()._parse_range_header(http_range, file_size)
        except MalformedRangeHeader:
            return []
