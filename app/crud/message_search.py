"""Full-text search over conversations: FTS5 on SQLite, a GIN index on PostgreSQL, both over `message_texts`.

All words must occur in one message, the last one as a prefix; or the query stands in the title. Texts are cut into
words here, so that both databases find the same. The owner stands among the words, under a mark that no word has: else
a short prefix would be looked up in the messages of all users.
"""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from sqlalchemy import ColumnElement, false, func, or_, select, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from app.crud.terms import MAX_WORD_CHARS, fold
from app.crud.terms import words as words_of
from app.db.base import table_of
from app.db.models import Conversation, MessageText

TABLE: Final = table_of(MessageText)
MAX_CHARS: Final = 100_000  # of different words: PostgreSQL refuses a tsvector over 1 MB
MAX_WORDS: Final = 32
OWNER: Final = "§"
# What is between words of plain ASCII becomes a space. A table costs half of what a regular expression does.
_ASCII: Final = {code: chr(code).lower() if chr(code).isalnum() else " " for code in range(128)}


# Made once: to build an upsert costs ten times what it costs to run it.
_INDEX: Final = {
    dialect: new.on_conflict_do_update(index_elements=["message_id"], set_={"words": new.excluded.words}).inline()
    for dialect, new in (("sqlite", sqlite.insert(TABLE)), ("postgresql", postgresql.insert(TABLE)))
}


def searchable(content: str) -> str:
    """The different words of a text, with spaces between them."""
    content = content[: 2 * MAX_CHARS]
    found = content.translate(_ASCII).split() if content.isascii() else words_of(content)
    return " ".join(dict.fromkeys(word[:MAX_WORD_CHARS] for word in found))[:MAX_CHARS]


def index(session: Session, message_id: UUID, conversation_id: UUID, user_id: UUID, content: str) -> None:
    """Make a message findable by its words; a second call replaces them."""
    values = {
        "message_id": message_id,
        "conversation_id": conversation_id,
        "user_id": user_id,
        "words": f"{OWNER}{user_id.hex} {searchable(content)}".rstrip(),
    }
    session.execute(_INDEX[session.get_bind().dialect.name], values)


def matches(session: Session, user_id: UUID, query: str) -> ColumnElement[bool]:
    """The condition that a conversation of the user's holds what the query asks for."""
    key = fold(query).strip()
    if not key:
        return false()
    words = searchable(query).split()[:MAX_WORDS]
    in_title: ColumnElement[bool] = Conversation.title_key.contains(key, autoescape=True)
    return or_(in_title, Conversation.id.in_(_in_messages(session, user_id, words))) if words else in_title


def _in_messages(session: Session, user_id: UUID, words: Sequence[str]) -> ColumnElement[UUID]:
    """A subquery of conversation ids. The owner's condition stands inside it."""
    terms = (f"{OWNER}{user_id.hex}", *words)
    found = select(MessageText.conversation_id).where(MessageText.user_id == user_id)
    if session.get_bind().dialect.name == "sqlite":
        expression = " ".join(f'"{term}"' for term in terms) + "*"
        rows = text("message_texts.id IN (SELECT rowid FROM messages_fts WHERE messages_fts MATCH :expression)")
        return found.where(rows.bindparams(expression=expression)).scalar_subquery()
    expression = " & ".join(f"'{term}'" for term in terms) + ":*"
    vector = func.array_to_tsvector(func.string_to_array(MessageText.words, text("' '")))
    return found.where(
        vector.op("@@")(text("CAST(:expression AS tsquery)").bindparams(expression=expression))
    ).scalar_subquery()
