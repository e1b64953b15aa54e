"""What a model gets to see for one answer, cut to its context by whole turns, and the record of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from app.core.enums import Author, CountedBy
from app.core.errors import ContextOverflow
from app.core.passages import place, spoken
from app.schemas.chat import Source
from app.services.llm.base import Turn
from app.services.llm.tokens import TOKENS_PER_MESSAGE, estimate_tokens

ANSWER_SHARE: Final = (
    4  # without max_tokens a quarter of the context, at most MAX_ANSWER_TOKENS, is left for the answer
)
MAX_ANSWER_TOKENS: Final = 4096
PASSAGE_SHARE: Final = 2  # passages take at most half of what the question leaves

SYSTEM: Final = "You are a helpful, precise assistant. Answer in the language of the question."
GROUNDED: Final = (
    " Numbered passages from the user's documents stand before the question. Base the answer on them and put the"
    " passage's number in square brackets, such as [1], behind each statement that rests on it. If they do not"
    " contain the answer, say so."
)
NOTHING_FOUND: Final = (
    " The user's documents were searched and no passage matches the question. Say so before you answer."
)
NOT_THERE: Final = "*This is not in your documents: nothing in them matches this question.*\n\n"
STRICT: Final = " Use nothing but the passages: what they do not say, you do not know."
CUT: Final = " The files are too long for you: the passages end before they do. Say so when it matters."
CONTINUE: Final = "Go on with your last answer exactly where it stopped, without repeating any of it."


@dataclass(frozen=True, slots=True)
class PastTurn:
    """A stored message on the way to the question."""

    message_id: UUID
    role: Author
    content: str


@dataclass(frozen=True, slots=True)
class PromptParts:
    """All that may go into a prompt. `searched` False: no files were looked at. `partial`: an answer to go on with.

    `is_whole`: the sources are whole files, page by page.
    """

    question: str
    history: Sequence[PastTurn]
    sources: Sequence[Source] = ()
    searched: bool = False
    system_prompt: str | None = None
    partial: str | None = None
    is_whole: bool = False
    strict: bool = False


@dataclass(frozen=True, slots=True)
class Prompt:
    """What is sent. `sources` are those that fitted, numbered as in the prompt."""

    turns: list[Turn]
    sources: list[Source]
    kept: list[UUID]
    dropped: list[UUID]
    prompt_tokens: int
    context_tokens: int
    system_prompt: str
    counted_by: CountedBy = CountedBy.ESTIMATE

    def entry(self) -> dict[str, object]:
        """The ledger's record of this prompt."""
        return {
            "system_prompt": self.system_prompt,
            "turns_kept": [str(i) for i in self.kept],
            "turns_dropped": [str(i) for i in self.dropped],
            "prompt_tokens": self.prompt_tokens,
            "context_tokens": self.context_tokens,
            "counted_by": self.counted_by.value,
            "messages": [{"role": t.role, "content": t.text} for t in self.turns],
        }


def cost(text: str) -> int:
    return estimate_tokens(text) + TOKENS_PER_MESSAGE


def answer_tokens(context_tokens: int, max_tokens: int | None) -> int:
    """What is kept free for the answer."""
    return min(max_tokens or MAX_ANSWER_TOKENS, context_tokens // ANSWER_SHARE)


def check_fits(parts: PromptParts, *, context_tokens: int, max_tokens: int | None) -> None:
    """Raises ContextOverflow, with both figures, for a prompt that does not fit even without passages and history."""
    need = _cost_of_frame(parts)
    have = context_tokens - answer_tokens(context_tokens, max_tokens)
    if need > have:
        raise ContextOverflow(
            f"the question needs about {need} tokens and the model's context leaves {have}; shorten it or choose a "
            "model with a larger context",
            details={"needed_tokens": need, "available_tokens": have, "counted_by": CountedBy.ESTIMATE.value},
        )


def _cost_of_frame(parts: PromptParts) -> int:
    """Of what cannot be left out: system prompt, question, and the answer to go on with."""
    system = (parts.system_prompt or SYSTEM) + (GROUNDED + STRICT + CUT if parts.searched else "")
    partial = 0 if parts.partial is None else cost(parts.partial) + cost(CONTINUE)
    return cost(system) + cost(parts.question) + partial


def assemble(parts: PromptParts, *, context_tokens: int, max_tokens: int | None) -> Prompt:
    """System prompt, as many of the newest whole turns as fit, then passages and question."""
    system = parts.system_prompt or SYSTEM
    left = context_tokens - answer_tokens(context_tokens, max_tokens)
    left -= _cost_of_frame(parts)
    sources = fitting(parts.sources, left if parts.is_whole else left // PASSAGE_SHARE)
    if parts.searched:
        is_cut = parts.is_whole and len(sources) < len(parts.sources)
        system += instructions(sources, strict=parts.strict, is_cut=is_cut)
    left -= sum(cost(passage(s)) for s in sources)
    kept: list[PastTurn] = []
    for exchange in _exchanges(parts.history)[::-1]:
        need = sum(cost(turn.content) for turn in exchange)
        if need > left:
            break
        kept = exchange + kept
        left -= need
    turns = [Turn(Author.SYSTEM, system), *(Turn(t.role, t.content) for t in kept)]
    turns.append(Turn(Author.USER, with_passages(parts.question, sources)))
    if parts.partial is not None:
        turns += [Turn(Author.ASSISTANT, parts.partial), Turn(Author.USER, CONTINUE)]
    kept_ids = {turn.message_id for turn in kept}
    return Prompt(
        turns=turns,
        sources=sources,
        kept=[t.message_id for t in kept],
        dropped=[t.message_id for t in parts.history if t.message_id not in kept_ids],
        prompt_tokens=sum(cost(turn.text) for turn in turns),
        context_tokens=context_tokens,
        system_prompt=system,
    )


def instructions(sources: Sequence[Source], *, strict: bool, is_cut: bool) -> str:
    """What the system prompt says of the passages. `is_cut`: they are the beginning of whole files."""
    if not sources:
        return NOTHING_FOUND
    return GROUNDED + (STRICT if strict else "") + (CUT if is_cut else "")


def passage(source: Source) -> str:
    where = place(source.page_from, source.page_to, source.page_label)
    return f"[{source.n}] {source.file_name}, {where}\n{spoken(source.context, source.text)}"


def with_passages(question: str, sources: Sequence[Source]) -> str:
    if not sources:
        return question
    return "Passages:\n\n" + "\n\n".join(passage(s) for s in sources) + f"\n\nQuestion: {question}"


def fitting(sources: Sequence[Source], budget: int) -> list[Source]:
    """The best passages, in their order, that fit into `budget` tokens."""
    fitting: list[Source] = []
    for source in sources:
        budget -= cost(passage(source))
        if budget < 0:
            break
        fitting.append(source)
    return fitting


def _exchanges(history: Sequence[PastTurn]) -> list[list[PastTurn]]:
    """Turns grouped by question: a question is never kept without its answer, nor an answer without its question."""
    groups: list[list[PastTurn]] = []
    for turn in history:
        if turn.role == Author.USER or not groups:
            groups.append([])
        groups[-1].append(turn)
    return groups
