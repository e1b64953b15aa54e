"""The text index over chunks on SQLite: FTS5, its terms as a table, and a trigger that no cascade can forget.

A later revision that recreates `chunks` in batch mode must make the trigger again.
"""

from collections.abc import Sequence

from alembic import op

revision: str = "0004"
down_revision: str | None = "0003"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    if op.get_bind().dialect.name != "sqlite":
        return
    # The words come analysed, so they are only to be cut at spaces; lengths stand in chunks.terms.
    op.execute("CREATE VIRTUAL TABLE chunks_fts USING fts5(words, tokenize='ascii', columnsize=0)")
    op.execute("CREATE VIRTUAL TABLE chunks_fts_terms USING fts5vocab(chunks_fts, instance)")
    op.execute(
        "CREATE TRIGGER chunks_delete AFTER DELETE ON chunks BEGIN DELETE FROM chunks_fts WHERE rowid = old.id; END"
    )


def downgrade() -> None:
    if op.get_bind().dialect.name != "sqlite":
        return
    op.execute("DROP TRIGGER chunks_delete")
    op.execute("DROP TABLE chunks_fts_terms")
    op.execute("DROP TABLE chunks_fts")
