"""The one import of Alembic in the service. Slow (0.3 s), so `app.db.migrations` comes here only when it must."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection


def upgrade(connection: Connection, folder: Path) -> None:
    """Apply all missing revisions of `folder` in the transaction that `connection` is in."""
    config = Config()
    config.set_main_option("script_location", str(folder))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
