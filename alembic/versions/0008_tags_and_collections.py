"""Tags of files and of page ranges as rows; collections of files and who may use them; what a question searched."""

import json
from collections.abc import Iterator, Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0008"
down_revision: str | None = "0007"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
EVERYBODY = sa.text("user_id IS NULL")
BATCH = 1000

FILES = sa.table("files", sa.column("id", sa.Uuid()), sa.column("tags", JSON))
TAGS = sa.table(
    "file_tags", sa.column("file_id", sa.Uuid()), sa.column("key"), sa.column("value"), sa.column("page_from")
)


def upgrade() -> None:
    op.create_table(
        "file_tags",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("file_id", sa.Uuid(), nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("value", sa.String(length=200), nullable=False),
        sa.Column("page_from", sa.Integer(), nullable=True),
        sa.Column("page_to", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(["file_id"], ["files.id"], name="fk_file_tags_file_id_files", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_file_tags"),
    )
    op.create_index("ix_file_tags_file_id_key_value", "file_tags", ["file_id", "key", "value"])
    # Covers which chunks touch a range of pages: the rows themselves are 1,000 characters each.
    op.create_index("ix_chunks_file_pages", "chunks", ["file_id", "page_from", "page_to", "ordinal"])
    _collections()
    op.add_column("conversations", sa.Column("collection_ids", JSON, nullable=False, server_default="[]"))
    op.add_column("messages", sa.Column("scope", JSON, nullable=True))
    bind = op.get_bind()
    rows = [row for file_id, tags in bind.execute(sa.select(FILES.c.id, FILES.c.tags)) for row in _rows(file_id, tags)]
    for first in range(0, len(rows), BATCH):
        bind.execute(sa.insert(TAGS), rows[first : first + BATCH])
    op.drop_column("files", "tags")


def _collections() -> None:
    op.create_table(
        "collections",
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_collections_user_id_users", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_collections"),
    )
    op.create_index("ix_collections_user_id", "collections", ["user_id"])
    op.create_table(
        "collection_files",
        sa.Column("collection_id", sa.Uuid(), nullable=False),
        sa.Column("file_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["collection_id"],
            ["collections.id"],
            name="fk_collection_files_collection_id_collections",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["file_id"], ["files.id"], name="fk_collection_files_file_id_files", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("collection_id", "file_id", name="pk_collection_files"),
    )
    op.create_index("ix_collection_files_file_id", "collection_files", ["file_id"])
    op.create_table(
        "collection_shares",
        sa.Column("collection_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=True),
        sa.Column("access", sa.String(length=8), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["collection_id"],
            ["collections.id"],
            name="fk_collection_shares_collection_id_collections",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name="fk_collection_shares_user_id_users", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_collection_shares"),
        sa.UniqueConstraint("collection_id", "user_id", name="uq_collection_shares_collection_id_user_id"),
    )
    op.create_index("ix_collection_shares_user_id", "collection_shares", ["user_id"])
    op.create_index(
        "uq_collection_shares_everybody",
        "collection_shares",
        ["collection_id"],
        unique=True,
        sqlite_where=EVERYBODY,
        postgresql_where=EVERYBODY,
    )


def downgrade() -> None:
    """Tags of page ranges have no place in the older tables and are lost, like collections."""
    op.add_column("files", sa.Column("tags", JSON, nullable=False, server_default="{}"))
    bind = op.get_bind()
    found: dict[object, dict[str, list[str]]] = {}
    whole = sa.select(TAGS.c.file_id, TAGS.c.key, TAGS.c.value).where(TAGS.c.page_from.is_(None))
    for file_id, key, value in bind.execute(whole):
        found.setdefault(file_id, {}).setdefault(key, []).append(value)
    for file_id, tags in found.items():
        plain = {key: values[0] if len(values) == 1 else values for key, values in tags.items()}
        bind.execute(sa.update(FILES).where(FILES.c.id == file_id).values(tags=plain))
    op.drop_column("messages", "scope")
    op.drop_column("conversations", "collection_ids")
    op.drop_index("ix_chunks_file_pages", "chunks")
    for table in ("collection_shares", "collection_files", "collections", "file_tags"):
        op.drop_table(table)


def _rows(file_id: object, tags: object) -> Iterator[dict[str, object]]:
    """A file's tags as rows. Values are words from now on: 5 becomes "5"."""
    if not isinstance(tags, dict):
        return
    for key, given in tags.items():
        values = [_word(value) for value in (given if isinstance(given, list) else [given])]
        for value in dict.fromkeys(values):
            yield {"file_id": file_id, "key": str(key)[:64], "value": value}


def _word(value: object) -> str:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return (value if isinstance(value, str) else json.dumps(value))[:200]
