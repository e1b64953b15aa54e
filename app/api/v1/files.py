"""Files: upload, list, look at, retry, cancel, delete."""

from typing import Annotated, Any, Final
from uuid import UUID

import msgspec
from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import FileResponse

from app.api.deps import CurrentUser, DocumentsDep, FetcherDep, IdempotencyKey
from app.api.form import FileForm, declared_bytes
from app.core.enums import FileStatus, PageState
from app.core.errors import ValidationFailed
from app.crud.files import Filter
from app.db.models import File
from app.schemas.base import PageOf, Text
from app.schemas.files import FileOut, PageOut, UploadForm, UrlUpload
from app.services.documents import Documents
from app.services.fetching import MAX_URL_CHARS
from app.services.uploads import UploadFields

PageNumber = Annotated[int, Path(ge=1, le=2**31 - 1, description="counted from 1")]
router = APIRouter(prefix="/files", tags=["files"])

MULTIPART: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {"multipart/form-data": {"schema": UploadForm.model_json_schema()}},
    }
}
# What a user uploaded is never shown as a page of ours: it is saved, not opened, and runs nothing.
CONTENT_HEADERS: Final = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Cache-Control": "private, no-store",
}


@router.post("/upload", status_code=202, openapi_extra=MULTIPART)
async def upload(request: Request, user: CurrentUser, documents: DocumentsDep, key: IdempotencyKey = None) -> FileOut:
    """Store a file and read it in the background. Follow it with `GET /files/status/{id}` or `GET /events`."""
    form = FileForm(request)
    documents.limits.check_declared(declared_bytes(request))
    name = await form.open()
    file = await documents.upload(user.user_id, name, form.body(), fields=lambda: _fields(form), key=key)
    return FileOut.model_validate(file)


@router.post("/url", status_code=202)
async def upload_url(
    body: UrlUpload, user: CurrentUser, documents: DocumentsDep, fetcher: FetcherDep, key: IdempotencyKey = None
) -> FileOut:
    """Fetch a web page or a file by its address, store it and read it in the background.

    Only what is readable without signing in, and never from a private network, also not by a redirect.
    """
    fields = UploadFields(conversation_id=body.conversation_id, tags=body.tags, source_url=body.url)
    async with fetcher.open(body.url) as found:
        file = await documents.upload(user.user_id, found.name, found.pieces, fields=fields.soon, key=key)
    return FileOut.model_validate(file)


@router.get("")
async def list_files(
    user: CurrentUser,
    documents: DocumentsDep,
    *,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: Annotated[str | None, Query(max_length=200)] = None,
    conversation_id: UUID | None = None,
    status: FileStatus | None = None,
    q: Annotated[Text | None, Query(max_length=255, description="part of the name")] = None,
    sha256: Annotated[Text | None, Query(max_length=64, description="of the bytes")] = None,
    source_url: Annotated[Text | None, Query(max_length=2000)] = None,
    needs_reindex: Annotated[bool, Query(description="only those that another model embedded")] = False,
) -> PageOf[FileOut]:
    """Newest first."""
    which = Filter(conversation_id, status, q, sha256=sha256, source_url=source_url)
    items, after = await documents.newest(user.user_id, which, limit=limit, cursor=cursor, needs_reindex=needs_reindex)
    return PageOf(items=[_shown(file, documents) for file in items], next_cursor=after)


@router.get("/status/{file_id}")
async def file_status(file_id: UUID, user: CurrentUser, documents: DocumentsDep) -> FileOut:
    """How far the reading of a file is: its step, pages and chunks, or why it failed."""
    return _shown(await documents.get(user.user_id, file_id), documents)


@router.get("/{file_id}")
async def get_file(file_id: UUID, user: CurrentUser, documents: DocumentsDep) -> FileOut:
    """One file, without its text."""
    return _shown(await documents.get(user.user_id, file_id), documents)


@router.delete("/{file_id}", status_code=204)
async def delete_file(file_id: UUID, user: CurrentUser, documents: DocumentsDep) -> Response:
    """Gone from everywhere: its text, its passages and its bytes."""
    await documents.delete(user.user_id, file_id)
    return Response(status_code=204)


@router.post("/{file_id}/retry", status_code=202)
async def retry_file(file_id: UUID, user: CurrentUser, documents: DocumentsDep) -> FileOut:
    """Read a failed or cancelled file again, or embed one again whose `needs_reindex` is true."""
    return FileOut.model_validate(await documents.retry(user.user_id, file_id))


@router.post("/{file_id}/cancel", status_code=202)
async def cancel_file(file_id: UUID, user: CurrentUser, documents: DocumentsDep) -> FileOut:
    """Stop reading a file. It stays stored and can be retried."""
    return FileOut.model_validate(await documents.cancel(user.user_id, file_id))


@router.get("/{file_id}/pages/{number}")
async def get_page(file_id: UUID, number: PageNumber, user: CurrentUser, documents: DocumentsDep) -> PageOut:
    """The text of one page, counted from 1, and where it begins in the file's text."""
    found = await documents.page(user.user_id, file_id, number)
    return PageOut(
        file_id=file_id,
        file_name=found.file.name,
        page=number,
        pages_total=found.file.pages_total,
        char_from=found.page.char_from,
        text=found.page.text,
        label=found.page.label,
        state=PageState(found.page.state),
        reason=found.page.reason,
    )


@router.get("/{file_id}/content", response_class=FileResponse)
async def get_content(file_id: UUID, user: CurrentUser, documents: DocumentsDep) -> FileResponse:
    """The file as it was uploaded, to be saved. Answers range requests."""
    file, path = await documents.content(user.user_id, file_id)
    return FileResponse(path, media_type=_safe_type(file), filename=file.name, headers=CONTENT_HEADERS)


def _shown(file: File, documents: Documents) -> FileOut:
    shown = FileOut.model_validate(file)
    return shown.model_copy(update={"needs_reindex": True}) if documents.needs_reindex(file) else shown


def _safe_type(file: File) -> str:
    """A page of HTML comes as bytes, whatever a client does with the headers above."""
    return "application/octet-stream" if "html" in file.media_type or file.media_type[-3:] == "xml" else file.media_type


async def _fields(form: FileForm) -> UploadFields:
    fields = await form.fields()
    try:
        conversation_id = UUID(fields["conversation_id"]) if fields.get("conversation_id") else None
    except ValueError:
        raise ValidationFailed(f"conversation_id={fields['conversation_id'][:80]!r} is not an id") from None
    raw_tags = fields.get("tags") or "{}"
    if "\0" in raw_tags or "\\u0000" in raw_tags:
        raise ValidationFailed("tags: a NUL character is not allowed")
    try:
        tags = msgspec.json.decode(raw_tags, type=dict[str, str | int | float | bool | list[str]])
    except msgspec.DecodeError as error:
        raise ValidationFailed(f"tags is not a JSON object of words, numbers or lists of words: {error}") from None
    source_url = fields.get("source_url") or None
    if source_url is not None and (len(source_url) > MAX_URL_CHARS or not source_url.isprintable()):
        raise ValidationFailed(f"source_url: at most {MAX_URL_CHARS} printable letters")
    return UploadFields(conversation_id=conversation_id, tags=tags, source_url=source_url)
