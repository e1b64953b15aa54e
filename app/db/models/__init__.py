"""Every table, imported here so that Alembic and the mappers see them all."""

from app.db.models.api_key import ApiKey
from app.db.models.collection import Collection, CollectionFile, CollectionShare
from app.db.models.conversation import Conversation
from app.db.models.executor import Executor
from app.db.models.file import Chunk, File, FilePage, Posting
from app.db.models.golden import GoldenQuestion, GoldenRun
from app.db.models.index import IndexedFile, SearchIndex
from app.db.models.message import IdempotencyKey, Ledger, Message, MessageText, Run
from app.db.models.tag import FileTag
from app.db.models.usage import UsageDay
from app.db.models.user import AuthSession, RefreshToken, User

__all__ = [
    "ApiKey",
    "AuthSession",
    "Chunk",
    "Collection",
    "CollectionFile",
    "CollectionShare",
    "Conversation",
    "Executor",
    "File",
    "FilePage",
    "FileTag",
    "GoldenQuestion",
    "GoldenRun",
    "IdempotencyKey",
    "IndexedFile",
    "Ledger",
    "Message",
    "MessageText",
    "Posting",
    "RefreshToken",
    "Run",
    "SearchIndex",
    "UsageDay",
    "User",
]
