"""The vector process: `python -m app.rag.chroma FOLDER PREFIX EXACT PARENT_PID`, requests on stdin, replies on stdout.

Chroma's writes hold the interpreter's lock, so it lives in a process of its own that alone owns its folder. A few
bucket collections hold all owners: filters on one big collection are slow, one for each owner costs open files. Each
embedder's vectors have buckets of their own, named after its fingerprint.
"""

import ctypes
import fcntl
import os
import re
import signal
import sys
import time
import zlib
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO, cast

import chromadb
import numpy as np
from chromadb.api.collection_configuration import CreateCollectionConfiguration
from chromadb.api.types import Where
from chromadb.config import Settings
from numpy.typing import NDArray

from app.rag import vector_wire as wire
from app.rag.exact import Recent, Rows, Scope, is_in, parts

BUCKETS = 16
SMALL = 4096  # vectors of a library that are always compared one by one
PAGE = 1000  # vectors that are read at once: of each page Chroma makes a list of Python's numbers
MORE = 1000  # that the graph is asked for when some of what it finds will not be wanted
CACHED = 131_072  # at most 98 MB, a third of what Chroma itself needs for them
LOCK_WAIT_S = 5.0
PR_SET_PDEATHSIG = 1
FIRST_SPACE = "all-MiniLM-L6-v2@53aa51172d14/384"  # whose buckets were not named after it at first
CONFIGURATION: CreateCollectionConfiguration = {"hnsw": {"space": "cosine", "ef_search": 400}}


Bucket = tuple[str, int]  # the digest of a space, and a number


class Vectors:
    """The collections of one folder: `<prefix>_<space>_<bucket>`. Vectors are named `<file>:<ordinal>`.

    Of libraries with up to `exact` vectors all are compared; the graph index is for larger ones.
    """

    def __init__(self, folder: Path, prefix: str, *, exact: int) -> None:
        settings = Settings(anonymized_telemetry=False)
        self._client = chromadb.PersistentClient(path=str(folder), settings=settings)
        self._prefix = prefix
        self._buckets: dict[Bucket, chromadb.Collection] = {}
        self._recent = Recent(limit=exact, small=SMALL, capacity=CACHED)
        name = re.compile(rf"{re.escape(prefix)}(?:_([0-9a-f]{{12}}))?_(\d\d)")
        for collection in self._client.list_collections():
            if found := name.fullmatch(collection.name):
                bucket = (found[1] or digest(FIRST_SPACE), int(found[2]))
                if found[1] is None:
                    collection.modify(name=self._name(bucket))
                self._buckets[bucket] = collection

    def answer(self, request: wire.Request, values: bytes) -> wire.Reply:
        match request:
            case wire.Add():
                return self._add(request, np.frombuffer(values, np.float32).reshape(len(request.ordinals), -1))
            case wire.Query():
                return self._query(request, np.frombuffer(values, np.float32))
            case wire.Count():
                space = None if request.space is None else digest(request.space)
                return wire.Counted(self._count(request.owner, request.file, space))
            case wire.Delete():
                return self._delete(request)
            case wire.List():
                return wire.Listed([self._holding(bucket) for bucket in sorted(self._buckets)])
            case wire.Names():
                return self._names(request)
            case wire.Discard():
                return self._discard(request)

    def _name(self, bucket: Bucket) -> str:
        return f"{self._prefix}_{bucket[0]}_{bucket[1]:02d}"

    def _made(self, bucket: Bucket, space: str) -> chromadb.Collection:
        if bucket not in self._buckets:
            self._buckets[bucket] = self._client.get_or_create_collection(
                self._name(bucket),
                configuration=CONFIGURATION,
                metadata={"fingerprint": space},
                embedding_function=None,
            )
        return self._buckets[bucket]

    def _of_owner(self, owner: str) -> list[Bucket]:
        """The owner's buckets of every space."""
        return [bucket for bucket in self._buckets if bucket[1] == number(owner)]

    def _add(self, request: wire.Add, vectors: NDArray[np.float32]) -> wire.Reply:
        bucket = (digest(request.space), number(request.owner))
        files = [request.file] * len(request.ordinals)
        # Not upsert: it makes the next deletion cost seconds. Ids that are there already are passed over.
        try:
            self._made(bucket, request.space).add(
                ids=[f"{request.file}:{ordinal}" for ordinal in request.ordinals],
                embeddings=vectors,
                metadatas=[{"owner": request.owner, "file": file} for file in files],
            )
        except Exception:
            self._recent.forget((bucket[0], request.owner))
            raise
        self._recent.add((bucket[0], request.owner), Rows.of(files, request.ordinals, vectors))
        return wire.Ready()

    def _query(self, request: wire.Query, vector: NDArray[np.float32]) -> wire.Reply:
        space = digest(request.space)
        collection = self._buckets.get((space, number(request.owner)))
        if collection is None:
            return wire.Found([], [], [])
        library = (space, request.owner)
        rows = self._rows(collection, Scope(library))
        if rows is None and request.files is not None:
            rows = self._rows(collection, Scope.of(library, request.files, request.spans))
        if rows is not None:
            wanted = None if request.files is None else frozenset(request.files)
            return wire.Found(*rows.nearest(vector, wanted, request.spans, request.limit))
        return self._nearest(collection, request, vector)

    def _nearest(self, collection: chromadb.Collection, request: wire.Query, vector: NDArray[np.float32]) -> wire.Found:
        """By the graph. It knows files and not ordinals: of files that are searched in part, more is asked for."""
        found = collection.query(
            query_embeddings=vector.reshape(1, -1),
            n_results=max(request.limit, MORE) if request.spans else request.limit,
            where=_scope(request.owner, None if request.files is None else [*request.files, *request.spans]),
            include=["distances"],
        )
        files, ordinals = parts(found["ids"][0])
        hits = zip(files, ordinals, (found["distances"] or [[]])[0], strict=True)
        kept = [hit for hit in hits if hit[0] not in request.spans or is_in(request.spans, hit[0], hit[1])]
        best = kept[: request.limit]
        return wire.Found([hit[0] for hit in best], [hit[1] for hit in best], [1.0 - float(hit[2]) for hit in best])

    def _rows(self, collection: chromadb.Collection, scope: Scope) -> Rows | None:
        """All vectors of a scope, or None when they are too many to compare them all."""
        if scope not in self._recent:
            self._recent.put(scope, self._read(collection, scope))
        return self._recent.get(scope)

    def _read(self, collection: chromadb.Collection, scope: Scope) -> Rows | None:
        most, owner = self._recent.most(), scope.library[1]
        spanned = sum(last - first + 1 for _, found in scope.spans for first, last in found)
        if spanned > most:
            return None
        names = [f"{file}:{n}" for file, found in scope.spans for first, last in found for n in range(first, last + 1)]
        if scope.files is None or scope.files:
            files = None if scope.files is None else sorted(scope.files)
            names += collection.get(where=_scope(owner, files), limit=most + 1, include=[])["ids"]
        return None if len(names) > most else _read(collection, list(dict.fromkeys(names)))

    def _count(self, owner: str, file: str, space: str | None) -> int:
        buckets = [self._buckets[b] for b in self._of_owner(owner) if space is None or b[0] == space]
        return sum(len(bucket.get(where=_scope(owner, [file]), include=[])["ids"]) for bucket in buckets)

    def _delete(self, request: wire.Delete) -> wire.Reply:
        space = None if request.space is None else digest(request.space)
        for bucket in self._of_owner(request.owner):
            if space is None or bucket[0] == space:
                self._recent.forget((bucket[0], request.owner))
                self._buckets[bucket].delete(where=_scope(request.owner, [request.file]))
        left = self._count(request.owner, request.file, space)
        return (
            wire.Failed(f"{left} vectors of file {request.file} are left after its deletion") if left else wire.Ready()
        )

    def _holding(self, bucket: Bucket) -> wire.Holding:
        collection = self._buckets[bucket]
        known = (collection.metadata or {}).get("fingerprint", FIRST_SPACE)
        return wire.Holding(self._name(bucket), str(known), collection.count())

    def _bucket(self, name: str) -> Bucket:
        """Raises LookupError."""
        return next(bucket for bucket in self._buckets if self._name(bucket) == name)

    def _names(self, request: wire.Names) -> wire.Reply:
        collection = self._buckets[self._bucket(request.collection)]
        found = collection.get(limit=request.limit, offset=request.offset, include=["metadatas"])
        return wire.Named([str(entry["owner"]) for entry in found["metadatas"] or []], found["ids"])

    def _discard(self, request: wire.Discard) -> wire.Reply:
        bucket = self._bucket(request.collection)
        self._recent.forget_space(bucket[0])
        if request.names is None:
            self._client.delete_collection(self._name(bucket))
            del self._buckets[bucket]
        elif request.names:
            self._buckets[bucket].delete(ids=request.names)
        return wire.Ready()


def digest(space: str) -> str:
    """A fingerprint as a part of a collection's name."""
    return sha256(space.encode()).hexdigest()[:12]


def number(owner: str) -> int:
    """Of the bucket that an owner is in."""
    return zlib.crc32(owner.encode()) % BUCKETS


def _scope(owner: str, files: list[str] | None) -> Where:
    if files is None:
        return {"owner": owner}
    return {"$and": [{"owner": owner}, cast(Where, {"file": {"$in": files}})]}


def _read(collection: chromadb.Collection, names: list[str]) -> Rows:
    """Those of these vectors that there are. The public get() makes arrays of float64, for three times the cost."""
    rows = Rows.none()
    for first in range(0, len(names), PAGE):
        found = collection._client._get(  # noqa: SLF001
            collection.id,
            ids=names[first : first + PAGE],
            include=["embeddings"],
            tenant=collection.tenant,
            database=collection.database,
        )
        rows = rows.plus(Rows.of(*parts(found["ids"]), np.array(found["embeddings"], np.float32)))
    return rows


def serve(vectors: Vectors, requests: BinaryIO, replies: BinaryIO) -> None:
    """Answers until the other end of the pipe is closed."""
    while len(lengths := requests.read(wire.LENGTHS.size)) == wire.LENGTHS.size:
        header, values = (requests.read(length) for length in wire.LENGTHS.unpack(lengths))
        try:
            reply = vectors.answer(wire.decode_request(header), values)
        except Exception as error:  # the root of one request: it fails, the process goes on
            reply = wire.Failed(f"{type(error).__name__}: {error}")
        replies.write(wire.frame(reply))
        replies.flush()


def locked(folder: Path) -> BinaryIO | None:
    """The open lock file, or None when another process keeps it. One that was just killed frees it soon."""
    folder.mkdir(parents=True, exist_ok=True)
    file = (folder / ".lock").open("ab")
    deadline = time.monotonic() + LOCK_WAIT_S
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return file
        except BlockingIOError:
            if time.monotonic() > deadline:
                return None
            time.sleep(0.05)


def die_with(parent: int) -> None:
    """The kernel kills this process when its parent dies: it must not keep the lock."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        raise SystemExit("the parent process is gone")


def main() -> None:
    folder, prefix, exact, parent = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    die_with(parent)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's: it closes the pipe when it is done
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever a library prints must not stand between frames
    lock = locked(folder)
    if lock is None:
        replies.write(wire.frame(wire.Failed(f"another process uses the vectors in {str(folder)!r}", in_use=True)))
        return
    with lock:
        vectors = Vectors(folder, prefix, exact=exact)
        replies.write(wire.frame(wire.Ready()))
        replies.flush()
        serve(vectors, sys.stdin.buffer, replies)


if __name__ == "__main__":
    main()
