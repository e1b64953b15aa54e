"""What the service and its vector process say to each other over a pair of pipes.

A frame is two little-endian uint32 lengths, a msgpack header and raw float32 values. Every request has one reply.
"""

import struct

import msgspec

LENGTHS = struct.Struct("<II")


class Add(msgspec.Struct, frozen=True, tag=True):
    """Its frame's values are the vectors, one row per ordinal. `space` is the fingerprint of their embedder."""

    space: str
    owner: str
    file: str
    ordinals: list[int]


class Query(msgspec.Struct, frozen=True, tag=True):
    """Its frame's values are one vector. `files` None: all files of the owner; else also `spans` of others.

    `spans`: ordinals from and to, by file.
    """

    space: str
    owner: str
    files: list[str] | None
    limit: int
    spans: dict[str, list[tuple[int, int]]] = {}


class Count(msgspec.Struct, frozen=True, tag=True):
    """`space` None: under all fingerprints."""

    space: str | None
    owner: str
    file: str


class Delete(msgspec.Struct, frozen=True, tag=True):
    """`space` None: under all fingerprints."""

    owner: str
    file: str
    space: str | None = None


class List(msgspec.Struct, frozen=True, tag=True):
    """Which collections there are."""


class Names(msgspec.Struct, frozen=True, tag=True):
    """What a collection holds, a page at a time."""

    collection: str
    offset: int
    limit: int


class Discard(msgspec.Struct, frozen=True, tag=True):
    """These vectors of a collection, named `<file>:<ordinal>`; None: the whole collection."""

    collection: str
    names: list[str] | None


class Ready(msgspec.Struct, frozen=True, tag=True):
    """The first frame of the process, and the reply to Add, Delete and Discard."""


class Found(msgspec.Struct, frozen=True, tag=True):
    """Best first. `scores` are cosine similarities."""

    files: list[str]
    ordinals: list[int]
    scores: list[float]


class Counted(msgspec.Struct, frozen=True, tag=True):
    number: int


class Holding(msgspec.Struct, frozen=True):
    """A collection, the fingerprint whose vectors it has, and how many."""

    collection: str
    space: str
    vectors: int


class Listed(msgspec.Struct, frozen=True, tag=True):
    collections: list[Holding]


class Named(msgspec.Struct, frozen=True, tag=True):
    """In the order that the collection keeps, which deletions do not change."""

    owners: list[str]
    names: list[str]


class Failed(msgspec.Struct, frozen=True, tag=True):
    """The request, or the start of the process, failed for this reason."""

    reason: str
    in_use: bool = False


Request = Add | Query | Count | Delete | List | Names | Discard
Reply = Ready | Found | Counted | Listed | Named | Failed
_encoder = msgspec.msgpack.Encoder()
_requests: msgspec.msgpack.Decoder[Request] = msgspec.msgpack.Decoder(Request)
_replies: msgspec.msgpack.Decoder[Reply] = msgspec.msgpack.Decoder(Reply)


def frame(header: Request | Reply, values: bytes = b"") -> bytes:
    encoded = _encoder.encode(header)
    return LENGTHS.pack(len(encoded), len(values)) + encoded + values


def decode_request(header: bytes) -> Request:
    """Raises msgspec.DecodeError."""
    return _requests.decode(header)


def decode_reply(header: bytes) -> Reply:
    """Raises msgspec.DecodeError."""
    return _replies.decode(header)
