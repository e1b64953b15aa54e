"""Has a model say a follow-up question in full, for the search: one short call, and never worth waiting for long."""

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from loguru import logger

from app.core.enums import Author, CountedBy
from app.core.errors import AppError
from app.crud.terms import analyse
from app.schemas.chat import StatusChanged
from app.services.ledger import PastTurn
from app.services.llm.base import Delta, Generation, Options, TokenUsage, Turn
from app.services.llm.pool import Pool
from app.services.llm.queue import Ticket
from app.services.llm.source import Source
from app.services.llm.tokens import estimate_tokens

TIMEOUT_S: Final = 4.0
MAX_TOKENS: Final = 80
TURNS: Final = 4
TURN_CHARS: Final = 600
MAX_CHARS: Final = 400
KNOWN_SHARE: Final = 0.6
THOUGHT: Final = re.compile(r"<think>.*?(?:</think>|$)", re.DOTALL)
TASK: Final = (
    "Rewrite the user's last question so that it can be understood without the conversation: put in what its pronouns"
    " and omissions stand for. Keep its language, names and numbers. Do not answer it. Reply with the question alone."
)


@dataclass(frozen=True, slots=True)
class Rewritten:
    """`query` None: it could not be had. `tokens` are those of the attempt, whatever came of it."""

    query: str | None
    source: Source
    model: str | None
    tokens: TokenUsage


class _Heard:
    """Implements the pool's Sink."""

    def __init__(self, source: Source, model: str | None) -> None:
        self.source, self.model = source, model
        self.text: list[str] = []
        self.written = 0
        self.usage: TokenUsage | None = None
        self.is_asked = False

    def delta(self, delta: Delta) -> None:
        self.text.append(delta.text)
        self.written += len(delta.text) + len(delta.reasoning)
        self.usage = delta.usage or self.usage

    def status(self, event: StatusChanged) -> None:
        return None

    def begun(self, source: Source, model: str | None) -> None:
        self.source, self.model, self.is_asked = source, model, True


async def rewrite(
    pool: Pool,
    at: tuple[Source, str | None],
    user_id: UUID,
    question: str,
    history: Sequence[PastTurn],
    *,
    timeout_s: float = TIMEOUT_S,
) -> Rewritten | None:
    """None: no model was asked. Never raises an AppError."""
    source, model = at
    heard, request = _Heard(source, model or source.default_model), _request(question, history, model)
    try:
        async with asyncio.timeout(timeout_s):
            await pool.generate(source, request, heard, Ticket(user_id))
        query = accepted("".join(heard.text), question, history)
    except (AppError, TimeoutError) as error:
        reason = str(error) or f"no answer within {timeout_s:g} s"
        logger.info("the question could not be put in full: {}", reason)
        query = None
    if not heard.is_asked:
        return None
    return Rewritten(query, heard.source, heard.model, heard.usage or _estimate(request, heard))


def accepted(said: str, question: str, history: Sequence[PastTurn]) -> str | None:
    """What the model said, if it is one line that keeps the question's numbers and is made of words that were said.

    A small model answers or invents instead.
    """
    lines = [line.strip(" \t\"'`*“”„«»") for line in THOUGHT.sub("", said).splitlines()]
    query = next((line for line in lines if line), "")
    terms, asked = analyse(query), analyse(question)
    if not terms or len(query) > MAX_CHARS or "\0" in query:
        return None
    known = {*asked, *(term for turn in history[-TURNS:] for term in analyse(turn.content[:TURN_CHARS]))}
    numbers = {term for term in asked if term.isdigit()}
    share = sum(term in known for term in terms) / len(terms)
    return query if numbers <= set(terms) and share >= KNOWN_SHARE else None


def _request(question: str, history: Sequence[PastTurn], model: str | None) -> Generation:
    names = {Author.USER: "User", Author.ASSISTANT: "Assistant"}
    said = [f"{names.get(turn.role, 'System')}: {_short(turn.content)}" for turn in history[-TURNS:]]
    content = "\n".join([*said, f"\nThe last question: {_short(question)}"])
    turns = [Turn(Author.SYSTEM, TASK), Turn(Author.USER, content)]
    return Generation(turns=turns, model=model, options=Options(temperature=0, max_tokens=MAX_TOKENS))


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= TURN_CHARS else f"{line[:TURN_CHARS]} …"


def _estimate(request: Generation, heard: _Heard) -> TokenUsage:
    prompt = sum(estimate_tokens(turn.text) for turn in request.turns)
    return TokenUsage(prompt, heard.written // 4, counted_by=CountedBy.ESTIMATE)
