"""The full-text index over messages: FTS5 that triggers keep in step on SQLite, a GIN index on PostgreSQL.

The words come cut and folded, so neither database is to analyse them again. Titles are searched in a folded copy.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0003"
down_revision: str | None = "0002"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

OUT = "INSERT INTO messages_fts(messages_fts, rowid, words) VALUES ('delete', old.id, old.words);"
IN = "INSERT INTO messages_fts(rowid, words) VALUES (new.id, new.words);"


def upgrade() -> None:
    op.add_column("conversations", sa.Column("title_key", sa.Text(), nullable=False, server_default=""))
    op.execute("UPDATE conversations SET title_key = lower(title)")
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            "CREATE INDEX ix_message_texts_words ON message_texts "
            "USING gin (array_to_tsvector(string_to_array(words, ' ')))"
        )
        return
    op.execute(
        "CREATE VIRTUAL TABLE messages_fts USING fts5(words, "
        "content='message_texts', content_rowid='id', tokenize='ascii', detail=none, prefix='1 2')"
    )
    op.execute(f"CREATE TRIGGER message_texts_insert AFTER INSERT ON message_texts BEGIN {IN} END")
    op.execute(f"CREATE TRIGGER message_texts_delete AFTER DELETE ON message_texts BEGIN {OUT} END")
    op.execute(f"CREATE TRIGGER message_texts_update AFTER UPDATE OF words ON message_texts BEGIN {OUT} {IN} END")


def downgrade() -> None:
    op.drop_column("conversations", "title_key")
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP INDEX ix_message_texts_words")
        return
    for trigger in ("insert", "delete", "update"):
        op.execute(f"DROP TRIGGER message_texts_{trigger}")
    op.execute("DROP TABLE messages_fts")
