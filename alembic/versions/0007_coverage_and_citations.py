"""What became of each page, what belongs before a passage, and which citations of an answer were checked."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0007"
down_revision: str | None = "0006"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def upgrade() -> None:
    op.add_column("files", sa.Column("source_url", sa.String(2000)))
    op.add_column("files", sa.Column("coverage", JSON))
    op.add_column("file_pages", sa.Column("label", sa.String(200)))
    op.add_column("file_pages", sa.Column("state", sa.String(16), nullable=False, server_default="read"))
    op.add_column("file_pages", sa.Column("reason", sa.String(500)))
    op.add_column("chunks", sa.Column("context", sa.Text(), nullable=False, server_default=""))
    op.add_column("messages", sa.Column("citations", JSON, nullable=False, server_default="[]"))


def downgrade() -> None:
    op.drop_column("messages", "citations")
    op.drop_column("chunks", "context")
    for column in ("reason", "state", "label"):
        op.drop_column("file_pages", column)
    op.drop_column("files", "coverage")
    op.drop_column("files", "source_url")
