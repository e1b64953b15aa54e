"""Where a chat request belongs in the tree of messages: the rows of one turn, stored before any model is called."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final
from uuid import UUID, uuid4

from app.core.enums import Author, MessageStatus
from app.core.errors import Conflict, NotFound, ValidationFailed
from app.crud import conversations, message_search, messages, runs, scope
from app.crud.messages import NewMessage, Node
from app.crud.runs import NewRun
from app.crud.scope import Scope, Wanted
from app.db.base import now
from app.db.session import Session
from app.schemas.chat import ChatRequest, RunStarted, Source
from app.schemas.conversations import ConversationCreate
from app.services.ledger import PastTurn, PromptParts

TITLE_CHARS = 60
SCOPE_FIELDS: Final = frozenset({"file_ids", "collection_ids", "tags", "use_rag"})
UNTITLED = ConversationCreate().title


@dataclass(frozen=True, slots=True)
class Asked:
    """A request by whom, with the model it goes to."""

    run_id: UUID
    user_id: UUID
    request: ChatRequest
    model_source: str
    model: str | None
    context_tokens: int
    replica: str
    request_id: str


@dataclass(frozen=True, slots=True)
class Turn:
    """A stored turn: what its run writes to, and what its prompt is made of. `partial`: an answer to go on with."""

    run_id: UUID
    user_id: UUID
    conversation_id: UUID
    user_message_id: UUID | None
    message_id: UUID
    question: str
    history: list[PastTurn]
    content_before: str = ""
    reasoning_before: str = ""
    sources_before: tuple[object, ...] = ()
    citations_before: tuple[object, ...] = ()
    scope: Scope = field(default_factory=Scope)  # searched for passages

    @property
    def file_ids(self) -> Sequence[UUID]:
        return self.scope.file_ids

    @property
    def chosen(self) -> bool:
        return self.scope.chosen

    @property
    def searched(self) -> bool:
        """Whether passages are looked for, if only to say that there are none."""
        return self.scope.is_searched

    def started(self, asked: Asked) -> RunStarted:
        return RunStarted(
            run_id=self.run_id,
            conversation_id=self.conversation_id,
            user_message_id=self.user_message_id,
            message_id=self.message_id,
            model_source=asked.model_source,
            model=asked.model,
        )

    def parts(self, asked: Asked, sources: Sequence[Source] = ()) -> PromptParts:
        return PromptParts(
            question=self.question,
            history=self.history,
            sources=sources,
            searched=self.searched,
            system_prompt=asked.request.system_prompt,
            partial=self.content_before or None,
        )


def title_of(question: str) -> str:
    """The first line of a question, cut at a word."""
    line = " ".join(question.strip().split("\n", 1)[0].split())
    if len(line) <= TITLE_CHARS:
        return line or UNTITLED
    return line[: TITLE_CHARS - 1].rsplit(" ", 1)[0] + "…"


def body_hash(request: ChatRequest) -> str:
    """What two requests with the same idempotency key must share."""
    return hashlib.sha256(request.model_dump_json(exclude_unset=True).encode()).hexdigest()


def store(session: Session, asked: Asked) -> Turn:
    """Write a turn's rows, as one unit of work. Raises NotFound, Conflict or ValidationFailed."""
    request = asked.request
    if request.regenerate is not None:
        turn = _regenerate(session, asked, request.regenerate)
    elif request.continue_ is not None:
        turn = _continue(session, asked, request.continue_)
    else:
        turn = _ask(session, asked)
    wanted = _wanted(session, asked, turn)
    if wanted is not None:
        found = scope.searched(session, asked.user_id, wanted, conversation_id=turn.conversation_id)
        turn = replace(turn, scope=found)
    runs.add(
        session,
        NewRun(
            id=turn.run_id,
            user_id=asked.user_id,
            conversation_id=turn.conversation_id,
            user_message_id=turn.user_message_id,
            message_id=turn.message_id,
            model_source=asked.model_source,
            model=asked.model,
            replica=asked.replica,
            request_id=asked.request_id,
            content_before=len(turn.content_before),
            reasoning_before=len(turn.reasoning_before),
            created_at=now(),
        ),
    )
    conversations.touch(session, turn.conversation_id, turn.message_id)
    return turn


def _wanted(session: Session, asked: Asked, turn: Turn) -> Wanted | None:
    """What is searched; None: nothing. An answer that is written anew, or on, searches what its question did."""
    request = asked.request
    said = request.model_fields_set & SCOPE_FIELDS
    if request.message is None and not said and turn.user_message_id is not None:
        stored = messages.get(session, turn.user_message_id, asked.user_id).scope
        return _stored(stored) if stored else Wanted()
    return Wanted(request.file_ids, request.collection_ids, request.tags) if request.use_rag else None


def _said(request: ChatRequest) -> dict[str, object] | None:
    """What a request says to search, for its question's row. None: nothing in particular."""
    said = request.model_dump(mode="json", include=set(SCOPE_FIELDS), exclude_defaults=True)
    return said or None


def _stored(said: Mapping[str, Any]) -> Wanted | None:
    if not said.get("use_rag", True):
        return None
    files, found = said.get("file_ids"), said.get("collection_ids")
    return Wanted(
        file_ids=None if files is None else [UUID(one) for one in files],
        collection_ids=None if found is None else [UUID(one) for one in found],
        tags=said.get("tags"),
        is_past=True,
    )


def _ask(session: Session, asked: Asked) -> Turn:
    request, question = asked.request, asked.request.message or ""
    path: list[Node] = []
    if request.conversation_id is None:
        if request.parent_id is not None:
            raise ValidationFailed("parent_id needs the conversation_id it belongs to")
        conversation_id = uuid4()
        conversations.add(session, id=conversation_id, user_id=asked.user_id, title=title_of(question))
    else:
        conversation_id = request.conversation_id
        conversation = conversations.get(session, conversation_id, asked.user_id)
        if conversation.active_message_id is None and conversation.title == UNTITLED:
            conversation.title = title_of(question)  # it was made for its files, before there was a question
        wants_leaf = "parent_id" not in request.model_fields_set
        parent_id = conversation.active_message_id if wants_leaf else request.parent_id
        path = messages.path(session, conversation_id, parent_id)
        if parent_id is not None and not path:
            raise NotFound(f"there is no message {str(parent_id)!r} in this conversation")
        if path and path[-1].status == MessageStatus.STREAMING:
            raise Conflict("the last answer is still being written; wait for it or stop it first")
    user = NewMessage(
        id=uuid4(),
        user_id=asked.user_id,
        conversation_id=conversation_id,
        parent_id=path[-1].id if path else None,
        role=Author.USER,
        content=question,
        status=MessageStatus.COMPLETE,
        created_at=now(),
        scope=_said(request),
    )
    answer = _answer(asked, conversation_id, parent_id=user.id)
    messages.add(session, [user, answer])
    message_search.index(session, user.id, conversation_id, asked.user_id, question)
    return Turn(
        run_id=asked.run_id,
        user_id=asked.user_id,
        conversation_id=conversation_id,
        user_message_id=user.id,
        message_id=answer.id,
        question=question,
        history=_past(path),
    )


def _regenerate(session: Session, asked: Asked, message_id: UUID) -> Turn:
    old = messages.get(session, message_id, asked.user_id)
    if old.role != Author.ASSISTANT or old.parent_id is None:
        raise ValidationFailed(f"regenerate={str(message_id)!r} is not an answer; name an assistant message")
    path = messages.path(session, old.conversation_id, old.parent_id)
    answer = _answer(asked, old.conversation_id, parent_id=old.parent_id)
    messages.add(session, [answer])
    return Turn(
        run_id=asked.run_id,
        user_id=asked.user_id,
        conversation_id=old.conversation_id,
        user_message_id=old.parent_id,
        message_id=answer.id,
        question=path[-1].content,
        history=_past(path[:-1]),
    )


def _continue(session: Session, asked: Asked, message_id: UUID) -> Turn:
    begun = messages.begin_again(session, message_id, asked.user_id)
    old = messages.get(session, message_id, asked.user_id)
    if old.role != Author.ASSISTANT or old.parent_id is None:
        raise ValidationFailed(f"continue={str(message_id)!r} is not an answer; name an assistant message")
    if not begun:
        raise Conflict("this answer is still being written; there is nothing to continue yet")
    path = messages.path(session, old.conversation_id, old.parent_id)
    return Turn(
        run_id=asked.run_id,
        user_id=asked.user_id,
        conversation_id=old.conversation_id,
        user_message_id=old.parent_id,
        message_id=message_id,
        question=path[-1].content,
        history=_past(path[:-1]),
        content_before=old.content,
        reasoning_before=old.reasoning or "",
        sources_before=tuple(old.sources),
        citations_before=tuple(old.citations),
    )


def _answer(asked: Asked, conversation_id: UUID, *, parent_id: UUID) -> NewMessage:
    return NewMessage(
        id=uuid4(),
        user_id=asked.user_id,
        conversation_id=conversation_id,
        parent_id=parent_id,
        role=Author.ASSISTANT,
        content="",
        status=MessageStatus.STREAMING,
        created_at=now(),
        model_source=asked.model_source,
        model=asked.model,
    )


def _past(path: list[Node]) -> list[PastTurn]:
    return [PastTurn(node.id, node.role, node.content) for node in path if node.content]
