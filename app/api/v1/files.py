"""Files: upload, list, look at, retry, cancel, delete."""

from collections.abc import Mapping
from typing import Annotated, Any, Final, TypeVar
from uuid import UUID

import msgspec
from fastapi import APIRouter, Path, Query, Request, Response
from msgspec.json import Decoder

from app.api.deps import CurrentUser, DocumentsDep, FetcherDep, IdempotencyKey
from app.api.download import Download
from app.api.form import FileForm, declared_bytes
from app.core.enums import Access, FileStatus, PageState
from app.core.errors import ValidationFailed
from app.core.passages import on_page
from app.core.tags import PageTags, TagValue, in_words
from app.crud.files import Filter
from app.crud.users import SignIn
from app.db.models import File
from app.schemas.base import PageOf, Text
from app.schemas.files import FileOut, Highlight, PageOut, UploadForm, UrlUpload
from app.services.documents import Documents
from app.services.fetching import MAX_URL_CHARS
from app.services.uploads import UploadFields

T = TypeVar("T")
PageNumber = Annotated[int, Path(ge=1, le=2**31 - 1, description="counted from 1")]
CharOffset = Annotated[
    int | None, Query(ge=0, le=2**53, description="a code point of the file's text, whose pages a form feed joins")
]
router = APIRouter(prefix="/files", tags=["files"])

MULTIPART: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {"multipart/form-data": {"schema": UploadForm.model_json_schema()}},
    }
}
TagMap = dict[str, TagValue | list[TagValue]]


class PageTagsField(msgspec.Struct, forbid_unknown_fields=True):
    """One entry of an upload's `page_tags`."""

    pages: str
    tags: TagMap


_tags, _page_tags = Decoder(TagMap), Decoder(list[PageTagsField])
# What a user uploaded is never shown as a page of ours: it is saved, not opened, and runs nothing.
CONTENT_HEADERS: Final = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Cache-Control": "private, no-store",
}


@router.post("/upload", status_code=202, openapi_extra=MULTIPART)
async def upload(request: Request, user: CurrentUser, documents: DocumentsDep, key: IdempotencyKey = None) -> FileOut:
    """Store a file and read it in the background. Follow it with `GET /files/status/{id}` or `GET /events`.

    The same bytes in the same place are one file: the answer is then the first one with `duplicate: true`.
    """
    form = FileForm(request)
    documents.limits.check_declared(declared_bytes(request))
    name = await form.open()
    received = await documents.upload(user.user_id, name, form.body(), fields=lambda: _fields(form), key=key)
    return shown(received.file, user, documents).model_copy(update={"duplicate": received.duplicate})


@router.post("/url", status_code=202)
async def upload_url(
    body: UrlUpload, user: CurrentUser, documents: DocumentsDep, fetcher: FetcherDep, key: IdempotencyKey = None
) -> FileOut:
    """Fetch a web page or a file by its address, store it and read it in the background.

    Only what is readable without signing in, and never from a private network, also not by a redirect.
    """
    fields = UploadFields(body.conversation_id, body.tags, collection_id=body.collection_id, source_url=body.url)
    async with fetcher.open(body.url) as found:
        received = await documents.upload(user.user_id, found.name, found.pieces, fields=fields.soon, key=key)
    return shown(received.file, user, documents).model_copy(update={"duplicate": received.duplicate})


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
    tag: Annotated[list[Text] | None, Query(max_length=100, description="`key:value`; any value of each key")] = None,
    needs_reindex: Annotated[bool, Query(description="only those that another model embedded")] = False,
) -> PageOf[FileOut]:
    """Newest first."""
    which = Filter(conversation_id, status, q, sha256=sha256, source_url=source_url, tags=in_words(tag or ()))
    items, after = await documents.newest(user.user_id, which, limit=limit, cursor=cursor, needs_reindex=needs_reindex)
    return PageOf(items=[shown(file, user, documents) for file in items], next_cursor=after)


@router.get("/status/{file_id}")
async def file_status(file_id: UUID, user: CurrentUser, documents: DocumentsDep) -> FileOut:
    """How far the reading of a file is: its step, pages and chunks, or why it failed."""
    return shown(await documents.get(user.user_id, file_id), user, documents)


@router.get("/{file_id}")
async def get_file(file_id: UUID, user: CurrentUser, documents: DocumentsDep) -> FileOut:
    """One file, without its text."""
    return shown(await documents.get(user.user_id, file_id), user, documents)


@router.delete("/{file_id}", status_code=204)
async def delete_file(file_id: UUID, user: CurrentUser, documents: DocumentsDep) -> Response:
    """Gone from everywhere: its text, its passages and its bytes."""
    await documents.delete(user.user_id, file_id)
    return Response(status_code=204)


@router.post("/{file_id}/retry", status_code=202)
async def retry_file(file_id: UUID, user: CurrentUser, documents: DocumentsDep) -> FileOut:
    """Read a failed or cancelled file again, or one with pages that were not read; embed one whose `needs_reindex` is
    true.
    """
    return FileOut.model_validate(await documents.retry(user.user_id, file_id))


@router.post("/{file_id}/cancel", status_code=202)
async def cancel_file(file_id: UUID, user: CurrentUser, documents: DocumentsDep) -> FileOut:
    """Stop reading a file. It stays stored and can be retried."""
    return FileOut.model_validate(await documents.cancel(user.user_id, file_id))


@router.get("/{file_id}/pages/{number}")
async def get_page(
    file_id: UUID,
    number: PageNumber,
    user: CurrentUser,
    documents: DocumentsDep,
    *,
    char_from: CharOffset = None,
    char_to: CharOffset = None,
) -> PageOut:
    """The text of one page, counted from 1, and where it begins in the file's text.

    With `char_from` and `char_to`, as a passage or a citation's quote has them, `highlights` is what of that stretch of
    the file is on this page. A passage over two pages has one on each; a stretch that is not on the page is refused.
    """
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
        highlights=[
            Highlight(from_=first, to=last)
            for first, last in on_page(found.page.text, found.page.char_from, char_from, char_to)
        ],
    )


@router.head("/{file_id}/content", response_class=Download, include_in_schema=False)
@router.get("/{file_id}/content", response_class=Download)
async def get_content(file_id: UUID, user: CurrentUser, documents: DocumentsDep) -> Download:
    """The file as it was uploaded, to be saved. Answers range requests, also with `If-Range`."""
    file, path = await documents.content(user.user_id, file_id)
    return Download(path, media_type=_safe_type(file), filename=file.name, headers=CONTENT_HEADERS)


def shown(file: File, user: SignIn, documents: Documents) -> FileOut:
    access = Access.OWNER if file.user_id == user.user_id else Access.READ
    seen = {"needs_reindex": documents.needs_reindex(file), "access": access}
    return FileOut.model_validate(file).model_copy(update=seen)


def _safe_type(file: File) -> str:
    """A page of HTML, or mail that may hold one, comes as bytes, whatever a client does with the headers above."""
    is_page = file.media_type.endswith(("html", "xml", "rfc822"))
    return "application/octet-stream" if is_page else file.media_type


async def _fields(form: FileForm) -> UploadFields:
    fields = await form.fields()
    tags = _json(fields, "tags", _tags, "a JSON object of words, numbers or lists of these") or {}
    given = _json(fields, "page_tags", _page_tags, 'a JSON list of {"pages": "12-40", "tags": {...}}') or []
    return UploadFields(
        conversation_id=_id(fields, "conversation_id"),
        collection_id=_id(fields, "collection_id"),
        tags=tags,
        page_tags=[PageTags(entry.pages, entry.tags) for entry in given],
        source_url=_source_url(fields),
    )


def _source_url(fields: Mapping[str, str]) -> str | None:
    said = fields.get("source_url") or None
    if said is not None and (len(said) > MAX_URL_CHARS or not said.isprintable()):
        raise ValidationFailed(f"source_url: at most {MAX_URL_CHARS} printable letters")
    return said


def _id(fields: Mapping[str, str], name: str) -> UUID | None:
    try:
        return UUID(fields[name]) if fields.get(name) else None
    except ValueError:
        raise ValidationFailed(f"{name}={fields[name][:80]!r} is not an id") from None


def _json(fields: Mapping[str, str], name: str, decoder: Decoder[T], expected: str) -> T | None:
    if not fields.get(name):
        return None
    try:
        return decoder.decode(fields[name])
    except (msgspec.DecodeError, RecursionError) as error:
        raise ValidationFailed(f"{name} is not {expected}: {error}") from None
