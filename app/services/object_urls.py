"""Object storages by address: `s3://BUCKET/KEY`, `gs://BUCKET/KEY`, `az://CONTAINER/KEY`.

Address, region and keys come from the environment by the names that each cloud's own tools use, such as
AWS_ENDPOINT_URL, AWS_ACCESS_KEY_ID, AZURE_STORAGE_ACCOUNT_NAME, GOOGLE_APPLICATION_CREDENTIALS: obstore reads them.
"""

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Final

from obstore import get_async
from obstore.exceptions import (
    BaseError,
    NotFoundError,
    PermissionDeniedError,
    PreconditionError,
    UnauthenticatedError,
)
from obstore.store import ObjectStore, from_url

from app.core.errors import NotFound, UpstreamRefused, UpstreamTimeout, UpstreamUnavailable, ValidationFailed

RETRIES: Final = 1  # whoever asks tries again
MAX_SAID: Final = 300
PIECE_BYTES: Final = 1 << 20
PATIENCE_S: Final = 60.0


async def pieces_of(address: str) -> AsyncIterator[bytes]:
    """The bytes of an object. Raises ValidationFailed, NotFound, or an UpstreamError."""
    scheme, _, rest = address.partition("://")
    bucket, _, key = rest.partition("/")
    if not bucket or not key or not address.isprintable() or ".." in key.split("/"):
        raise ValidationFailed(f"{address!r} names no object: write {scheme}://BUCKET/KEY")
    with faults(address):
        found = await get_async(open_store(f"{scheme.lower()}://{bucket}", patience_s=PATIENCE_S), key)
        async for data in found.stream(PIECE_BYTES):
            yield bytes(data)


def open_store(root: str, *, patience_s: float) -> ObjectStore:
    """Without client options of ours: they would take the place of all those of the environment."""
    patience = timedelta(seconds=patience_s)
    try:
        return from_url(root, retry_config={"max_retries": RETRIES, "retry_timeout": patience})
    except (BaseError, ValueError) as error:
        raise ValidationFailed(f"{root!r} cannot be used: {_said(error)}; set it in the environment") from None


@contextmanager
def faults(url: str) -> Iterator[None]:
    """What a storage's failures mean, in our words. A PreconditionError stays what it is."""
    try:
        yield
    except (NotFoundError, FileNotFoundError):  # obstore raises Python's own too
        raise NotFound(f"there is nothing at {url!r}; check bucket and key") from None
    except (PermissionDeniedError, UnauthenticatedError):
        raise UpstreamRefused(
            f"the storage refuses {url!r}: check its keys and its address in the environment, such as "
            "AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_ENDPOINT_URL"
        ) from None
    except PreconditionError:
        raise
    except TimeoutError:
        raise UpstreamTimeout(f"{url!r} fell silent; try again") from None
    except BaseError as error:
        raise UpstreamUnavailable(f"cannot read {url!r}: {_said(error)}") from None


def _said(error: Exception) -> str:
    """The first line: the others are meant for the library's own developers."""
    return str(error).partition("\n")[0][:MAX_SAID]
