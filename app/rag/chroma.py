"""The vector process: `python -m app.rag.chroma FOLDER PREFIX PARENT_PID`, requests on stdin, replies on stdout.

Chroma's writes hold the interpreter's lock, so it lives in a process of its own that alone owns its folder. A few
bucket collections hold all owners: filters on one big collection are slow, one for each owner costs open files.
"""

import ctypes
import fcntl
import os
import signal
import sys
import time
import zlib
from pathlib import Path
from typing import BinaryIO, cast

import chromadb
import numpy as np
from chromadb.api.collection_configuration import CreateCollectionConfiguration
from chromadb.api.types import Where
from chromadb.config import Settings
from numpy.typing import NDArray

from app.rag import vector_wire as wire
from app.rag.exact import Recent, Rows, Scope, parts

BUCKETS = 16
EXACT = 4096  # vectors that are compared one by one; the graph index is for more
CACHED = 131_072  # at most 96 MB, a third of what Chroma itself needs for them
LOCK_WAIT_S = 5.0
PR_SET_PDEATHSIG = 1
CONFIGURATION: CreateCollectionConfiguration = {"hnsw": {"space": "cosine", "ef_search": 400}}


class Vectors:
    """The collections of one folder. Vectors are named `<file>:<ordinal>`."""

    def __init__(self, folder: Path, prefix: str) -> None:
        settings = Settings(anonymized_telemetry=False)
        self._client = chromadb.PersistentClient(path=str(folder), settings=settings)
        self._prefix = prefix
        self._buckets: dict[int, chromadb.Collection] = {}
        self._recent = Recent(limit=EXACT, capacity=CACHED)

    def answer(self, request: wire.Request, values: bytes) -> wire.Reply:
        match request:
            case wire.Add():
                return self._add(request, np.frombuffer(values, np.float32).reshape(len(request.ordinals), -1))
            case wire.Query():
                return self._query(request, np.frombuffer(values, np.float32))
            case wire.Count():
                return wire.Counted(len(self._ids(request.owner, request.file)))
            case wire.Delete():
                return self._delete(request)

    def _bucket(self, owner: str) -> chromadb.Collection:
        number = zlib.crc32(owner.encode()) % BUCKETS
        if number not in self._buckets:
            self._buckets[number] = self._client.get_or_create_collection(
                f"{self._prefix}_{number:02d}", configuration=CONFIGURATION, embedding_function=None
            )
        return self._buckets[number]

    def _add(self, request: wire.Add, vectors: NDArray[np.float32]) -> wire.Reply:
        files = [request.file] * len(request.ordinals)
        # Not upsert: it makes the next deletion cost seconds. Ids that are there already are passed over.
        try:
            self._bucket(request.owner).add(
                ids=[f"{request.file}:{ordinal}" for ordinal in request.ordinals],
                embeddings=vectors,
                metadatas=[{"owner": request.owner, "file": file} for file in files],
            )
        except Exception:
            self._recent.forget(request.owner)
            raise
        self._recent.add(request.owner, Rows.of(files, request.ordinals, vectors))
        return wire.Ready()

    def _query(self, request: wire.Query, vector: NDArray[np.float32]) -> wire.Reply:
        rows = self._rows((request.owner, None))
        if rows is None and request.files is not None:
            rows = self._rows((request.owner, frozenset(request.files)))
        if rows is not None:
            wanted = None if request.files is None else frozenset(request.files)
            return wire.Found(*rows.nearest(vector, wanted, request.limit))
        where = _scope(request.owner, request.files)
        found = self._bucket(request.owner).query(
            query_embeddings=vector.reshape(1, -1), n_results=request.limit, where=where, include=["distances"]
        )
        distances = (found["distances"] or [[]])[0]
        return wire.Found(*parts(found["ids"][0]), scores=[1.0 - float(distance) for distance in distances])

    def _rows(self, scope: Scope) -> Rows | None:
        """All vectors of a scope, or None when they are too many to compare them all."""
        if scope not in self._recent:
            owner, files = scope
            bucket = self._bucket(owner)
            # The public get() makes arrays of float64 first, for three times the cost of all the rest.
            found = bucket._client._get(  # noqa: SLF001
                bucket.id,
                where=_scope(owner, None if files is None else sorted(files)),
                limit=EXACT + 1,
                include=["embeddings"],
                tenant=bucket.tenant,
                database=bucket.database,
            )
            vectors = np.array(found["embeddings"], np.float32)
            self._recent.put(scope, Rows.of(*parts(found["ids"]), vectors))
        return self._recent.get(scope)

    def _ids(self, owner: str, file: str) -> list[str]:
        return self._bucket(owner).get(where=_scope(owner, [file]), include=[])["ids"]

    def _delete(self, request: wire.Delete) -> wire.Reply:
        self._recent.forget(request.owner)
        self._bucket(request.owner).delete(where=_scope(request.owner, [request.file]))
        left = len(self._ids(request.owner, request.file))
        return (
            wire.Failed(f"{left} vectors of file {request.file} are left after its deletion") if left else wire.Ready()
        )


def _scope(owner: str, files: list[str] | None) -> Where:
    if files is None:
        return {"owner": owner}
    return {"$and": [{"owner": owner}, cast(Where, {"file": {"$in": files}})]}


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
    folder, prefix, parent = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    die_with(parent)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's: it closes the pipe when it is done
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever a library prints must not stand between frames
    lock = locked(folder)
    if lock is None:
        replies.write(wire.frame(wire.Failed(f"another process uses the vectors in {str(folder)!r}", in_use=True)))
        return
    with lock:
        vectors = Vectors(folder, prefix)
        replies.write(wire.frame(wire.Ready()))
        replies.flush()
        serve(vectors, sys.stdin.buffer, replies)


if __name__ == "__main__":
    main()
