"""Runs, their ledgers, and the keys that make a retry harmless."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import bindparam, delete, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from app.core.enums import RunStatus
from app.crud.ownership import find_owned
from app.db.base import now, table_of
from app.db.models import IdempotencyKey, Ledger, Message, Run

TABLE = table_of(Run)
_ADD = insert(TABLE)
_ADD_LEDGER = insert(table_of(Ledger))
KEY_LIFETIME = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class NewRun:
    id: UUID
    user_id: UUID
    conversation_id: UUID
    user_message_id: UUID | None
    message_id: UUID
    model_source: str
    model: str | None
    replica: str
    request_id: str
    content_before: int
    reasoning_before: int
    created_at: datetime


def add(session: Session, run: NewRun) -> None:
    values = {name: getattr(run, name) for name in NewRun.__slots__}
    session.execute(_ADD, {**values, "status": RunStatus.RUNNING})


def get(session: Session, run_id: UUID, user_id: UUID) -> Run:
    return find_owned(session, Run, run_id, user_id)


def unfinished(session: Session, replica: str) -> Sequence[Run]:
    """Runs that a process of this data folder began and did not finish."""
    query = select(Run).where(Run.status == RunStatus.RUNNING, Run.replica == replica)
    return (session.scalars(query)).all()


_FINISH = (
    update(TABLE)
    .where(TABLE.c.id == bindparam("run_id"))
    .values(
        status=bindparam("new_status"),
        error=bindparam("new_error"),
        trace=bindparam("new_trace"),
        finished_at=bindparam("new_finished_at"),
    )
)


def finish(session: Session, run_id: UUID, *, status: RunStatus, error: dict[str, object] | None, trace: bytes) -> None:
    session.execute(
        _FINISH,
        {"run_id": run_id, "new_status": status, "new_error": error, "new_trace": trace, "new_finished_at": now()},
    )


def add_ledger(session: Session, *, run_id: UUID, message_id: UUID, user_id: UUID, entry: dict[str, object]) -> None:
    session.execute(
        _ADD_LEDGER,
        {"run_id": run_id, "message_id": message_id, "user_id": user_id, "entry": entry, "created_at": now()},
    )


def ledgers(session: Session, message_id: UUID, user_id: UUID) -> Sequence[Ledger]:
    """One for each run that wrote the message, oldest first."""
    find_owned(session, Message, message_id, user_id)
    return (session.scalars(select(Ledger).where(Ledger.message_id == message_id).order_by(Ledger.created_at))).all()


def claim_key(session: Session, *, user_id: UUID, key: str, body_hash: str, target_id: UUID) -> IdempotencyKey | None:
    """Take a key for a new target; None: it is ours. Otherwise the row of whoever took it in the last 24 hours."""
    session.execute(
        delete(IdempotencyKey).where(
            IdempotencyKey.user_id == user_id,
            IdempotencyKey.key == key,
            IdempotencyKey.created_at < now() - KEY_LIFETIME,
        )
    )
    values = {"user_id": user_id, "key": key, "body_hash": body_hash, "target_id": target_id, "created_at": now()}
    dialect = session.get_bind().dialect.name
    new = postgresql.insert(IdempotencyKey) if dialect == "postgresql" else sqlite.insert(IdempotencyKey)
    taken = session.execute(new.values(values).on_conflict_do_nothing().returning(IdempotencyKey.target_id))
    if taken.first() is not None:
        return None
    return session.get(IdempotencyKey, (user_id, key))


def delete_expired_keys(session: Session) -> None:
    session.execute(delete(IdempotencyKey).where(IdempotencyKey.created_at < now() - KEY_LIFETIME))
