"""Conversations: list, find, rename, show another branch, export, delete."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Generic, Protocol, TypeGuard, TypeVar
from uuid import UUID, uuid4

from app.crud import conversations, messages, paging, scope
from app.crud.conversations import ConversationRow
from app.crud.messages import MessageRow
from app.crud.paging import Position
from app.db.models import Conversation, Message
from app.db.session import Database, Session
from app.services.streams.events import ConversationChanged, UserEvents

MAX_EXPORTED = 100_000
I = TypeVar("I")  # noqa: E741 - an item


class FileRemoval(Protocol):
    """Deletes the files that belong to a conversation."""

    async def delete_for_conversation(self, owner: UUID, conversation_id: UUID) -> None: ...


class RunRemoval(Protocol):
    """Ends the runs of a conversation."""

    async def stop_conversation(self, user_id: UUID, conversation_id: UUID) -> None: ...


@dataclass(frozen=True, slots=True)
class Listed(Generic[I]):
    """One page of a list."""

    items: Sequence[I]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class Shown:
    """A message and the run that is writing it now."""

    message: Message
    run_id: UUID | None


@dataclass(frozen=True, slots=True)
class Change:
    """What is to change of a conversation: its name, the branch that is shown (any message of it), its collections."""

    title: str | None = None
    active_message_id: UUID | None = None
    collection_ids: Sequence[UUID] | None = None


class Conversations:
    """A user's conversations. Every method names the user: nobody reaches another's."""

    def __init__(self, db: Database, *, files: FileRemoval, runs: RunRemoval, events: UserEvents) -> None:
        self._db, self._files, self._runs, self._events = db, files, runs, events

    async def create(self, user_id: UUID, *, title: str, collection_ids: Sequence[UUID] = ()) -> Conversation:
        """Raises NotFound for a collection."""
        conversation_id = uuid4()
        create = partial(_create, conversation_id=conversation_id, user_id=user_id, title=title)
        await self._db.write(partial(create, collection_ids=collection_ids))
        self._tell(user_id, conversation_id, "created")
        return await self.get(user_id, conversation_id)

    async def list(
        self, user_id: UUID, *, query: str | None, cursor: str | None, limit: int
    ) -> Listed[ConversationRow]:
        """Newest first; with `query` those whose title or messages match."""
        after = paging.decode(cursor) if cursor else None
        words = query.strip() if query else ""
        rows = await self._db.query(
            partial(conversations.page, user_id=user_id, query=words, after=after, limit=limit + 1)
        )
        last = rows[limit - 1] if len(rows) > limit else None
        return Listed(rows[:limit], paging.encode(last.updated_at, last.id) if last else None)

    async def get(self, user_id: UUID, conversation_id: UUID) -> Conversation:
        return await self._db.query(partial(conversations.get, conversation_id=conversation_id, user_id=user_id))

    async def change(self, user_id: UUID, conversation_id: UUID, change: "Change") -> Conversation:
        """Raises NotFound for a message of another conversation, or a collection."""
        work = partial(_change, conversation_id=conversation_id, user_id=user_id, change=change)
        changed = await self._db.write(work)
        self._tell(user_id, conversation_id, "changed" if change.title is None else "renamed")
        return changed

    async def delete(self, user_id: UUID, conversation_id: UUID) -> None:
        """End its runs, delete its files everywhere, then its rows and search words."""
        await self.get(user_id, conversation_id)
        await self._runs.stop_conversation(user_id, conversation_id)
        await self._files.delete_for_conversation(user_id, conversation_id)
        await self._db.write(partial(conversations.remove, conversation_id=conversation_id, user_id=user_id))
        await self._runs.stop_conversation(user_id, conversation_id)  # those that began meanwhile
        self._tell(user_id, conversation_id, "deleted")

    async def messages(self, user_id: UUID, conversation_id: UUID, *, cursor: str | None, limit: int) -> Listed[Shown]:
        """Every branch, oldest first."""
        after = paging.decode(cursor) if cursor else None
        rows = await self._db.query(
            partial(_messages, conversation_id=conversation_id, user_id=user_id, after=after, limit=limit + 1)
        )
        items = [Shown(message, run_id) for message, run_id in rows]
        last = items[limit - 1].message if len(items) > limit else None
        return Listed(items[:limit], paging.encode(last.created_at, last.id) if last else None)

    async def everything(self, user_id: UUID, conversation_id: UUID) -> tuple[Conversation, Sequence[Shown]]:
        """A conversation and the messages of all its branches, oldest first."""
        conversation = await self.get(user_id, conversation_id)
        shown = await self.messages(user_id, conversation_id, cursor=None, limit=MAX_EXPORTED)
        return conversation, shown.items

    async def active_branch(self, user_id: UUID, conversation_id: UUID) -> tuple[Conversation, Sequence[Message]]:
        """A conversation and its messages from the root to the active leaf."""
        conversation, items = await self.everything(user_id, conversation_id)
        by_id = {item.message.id: item.message for item in items}
        branch: list[Message] = []
        step = conversation.active_message_id
        while step is not None and (message := by_id.get(step)) is not None:
            branch.append(message)
            step = message.parent_id
        return conversation, branch[::-1]

    def _tell(self, user_id: UUID, conversation_id: UUID, change: str) -> None:
        """Say it to the user's other pages."""
        changed = ConversationChanged(conversation_id, change)
        self._events.publish(user_id, "conversation", changed, subject=str(conversation_id))


def _create(
    session: Session, *, conversation_id: UUID, user_id: UUID, title: str, collection_ids: Sequence[UUID]
) -> None:
    conversations.add(session, id=conversation_id, user_id=user_id, title=title)
    if collection_ids:
        change = Change(collection_ids=collection_ids)
        _change(session, conversation_id=conversation_id, user_id=user_id, change=change)


def _change(session: Session, *, conversation_id: UUID, user_id: UUID, change: Change) -> Conversation:
    conversation = conversations.get(session, conversation_id, user_id)
    if change.title is not None:
        conversations.rename(conversation, change.title)
    if change.active_message_id is not None:
        message = messages.get_in(session, change.active_message_id, conversation_id, user_id)
        conversation.active_message_id = conversations.newest_leaf(session, conversation_id, message.id)
    if change.collection_ids is not None:
        wanted = list(dict.fromkeys(change.collection_ids))
        scope.check_collections(session, user_id, wanted)
        conversation.collection_ids = [str(one) for one in wanted]
    return conversation


def _messages(
    session: Session, *, conversation_id: UUID, user_id: UUID, after: Position | None, limit: int
) -> Sequence[MessageRow]:
    conversations.get(session, conversation_id, user_id)
    return messages.page(session, conversation_id, user_id, after=after, limit=limit)


def as_markdown(conversation: Conversation, branch: Sequence[Message]) -> str:
    """The active branch for people: questions, answers, and each answer's passages."""
    parts = [f"# {conversation.title}\n"]
    for message in branch:
        who = "You" if message.role == "user" else f"Assistant ({message.model or message.model_source})"
        parts.append(f"## {who}\n\n{message.content}\n")
        parts += [_source_line(source) for source in message.sources if isinstance(source, dict)]
        parts += [_doubt(message.content, cited) for cited in message.citations if _is_doubtful(cited)]
    return "\n".join(parts)


def _source_line(source: dict[str, object]) -> str:
    one = source["page_from"] == source["page_to"]
    where = f"page {source['page_from']}" if one else f"pages {source['page_from']}-{source['page_to']}"
    return f"- [{source['n']}] {source['file_name']}, {where}"


def _is_doubtful(cited: object) -> TypeGuard[dict[str, object]]:
    return isinstance(cited, dict) and not cited["supported"]


def _doubt(content: str, cited: dict[str, object]) -> str:
    begin, end = cited["char_from"], cited["char_to"]
    sentence = content[begin:end] if isinstance(begin, int) and isinstance(end, int) else ""
    return f"- Not supported: “{' '.join(sentence.split())}”, since {cited['reason']}"
