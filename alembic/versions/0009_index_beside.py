"""Several indexes side by side: which one is searched, which one is being built, and whose each passage is."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0009"
down_revision: str | None = "0008"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
ONE_OF_EACH = sa.text("state IN ('current', 'building')")
TRIGGER = "CREATE TRIGGER chunks_delete AFTER DELETE ON chunks BEGIN DELETE FROM chunks_fts WHERE rowid = old.id; END"


def upgrade() -> None:
    op.create_table(
        "search_indexes",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("fingerprint", sa.String(length=200), nullable=False),
        sa.Column("recipe", JSON, nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("started_by", sa.Uuid(), nullable=True),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("swapped_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("removed_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_search_indexes"),
    )
    op.create_index(
        "uq_search_indexes_state",
        "search_indexes",
        ["state"],
        unique=True,
        sqlite_where=ONE_OF_EACH,
        postgresql_where=ONE_OF_EACH,
    )
    op.create_table(
        "indexed_files",
        sa.Column("index_id", sa.Integer(), nullable=False),
        sa.Column("file_id", sa.Uuid(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("chunks_total", sa.Integer(), nullable=False),
        sa.Column("chunks_done", sa.Integer(), nullable=False),
        sa.Column("is_complete", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["file_id"], ["files.id"], name="fk_indexed_files_file_id_files", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["index_id"], ["search_indexes.id"], name="fk_indexed_files_index_id_search_indexes", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("index_id", "file_id", name="pk_indexed_files"),
    )
    op.create_index("ix_indexed_files_file_id", "indexed_files", ["file_id"])
    _change(old=["file_id", "ordinal"], new=["file_id", "generation", "ordinal"], upgrade=True)


def downgrade() -> None:
    """Only the first generation is known before: files of a later one are indexed again, from their stored pages."""
    op.execute(
        "UPDATE files SET status = 'embedding', attempt = attempt + 1, chunks_done = 0 WHERE status = 'ready' "
        "AND EXISTS (SELECT 1 FROM search_indexes WHERE state = 'current' AND id <> 0)"
    )
    op.execute("DELETE FROM chunks WHERE generation <> 0")
    _change(old=["file_id", "generation", "ordinal"], new=["file_id", "ordinal"], upgrade=False)
    op.drop_table("indexed_files")
    op.drop_table("search_indexes")


def _change(*, old: list[str], new: list[str], upgrade: bool) -> None:
    op.drop_index("ix_chunks_user_terms", table_name="chunks")
    op.drop_index("ix_postings_user_term", table_name="postings")
    for table in ("chunks", "postings"):
        if upgrade:
            op.add_column(table, sa.Column("generation", sa.Integer(), nullable=False, server_default="0"))
    name = "uq_chunks_file_id_{}ordinal"
    before, after = (name.format("generation_" if "generation" in columns else "") for columns in (old, new))
    # SQLite makes the table anew, and the trigger goes with the old one.
    with op.batch_alter_table("chunks", table_kwargs={"sqlite_autoincrement": True}) as batch:
        batch.drop_constraint(before, type_="unique")
        batch.create_unique_constraint(after, new)
        if not upgrade:
            batch.drop_column("generation")
    if not upgrade:
        op.drop_column("postings", "generation")
    if op.get_bind().dialect.name == "sqlite":
        op.execute("DROP TRIGGER IF EXISTS chunks_delete")
        op.execute(TRIGGER)
    within = ["generation"] if upgrade else []
    op.create_index("ix_chunks_user_terms", "chunks", ["user_id", *within, "terms"])
    op.create_index(
        "ix_postings_user_term",
        "postings",
        ["user_id", *within, "term"],
        postgresql_include=["chunk_id", "frequency"],
    )
