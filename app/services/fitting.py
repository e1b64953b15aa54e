"""Fits a prompt to a model, and counts what it wrote: by the model's own tokenizer where it is at hand."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from loguru import logger

from app.core.enums import CountedBy
from app.core.errors import AppError, ContextOverflow
from app.services import ledger
from app.services.ledger import Prompt, PromptParts
from app.services.llm.base import CountsTokens, Generation, TokenUsage
from app.services.llm.tokens import estimate_tokens

ATTEMPTS: Final = 5
MARGIN: Final = 0.95
COUNT_TIMEOUT_S: Final = 2.0
LOAD_TIMEOUT_S: Final = 300.0


async def fit(
    parts: PromptParts,
    to_request: Callable[[Prompt], Generation],
    tokenizer: CountsTokens | None,
    *,
    context_tokens: int,
    max_tokens: int | None,
) -> Prompt:
    """The prompt, its turns and passages cut until it fits. Raises ContextOverflow, with both figures.

    The first count may have to load the model.
    """
    room = context_tokens - ledger.answer_tokens(context_tokens, max_tokens)
    allowed, exact = context_tokens, 0
    for _ in range(ATTEMPTS):
        prompt = ledger.assemble(parts, context_tokens=allowed, max_tokens=max_tokens)
        prompt = replace(prompt, context_tokens=context_tokens)
        if tokenizer is None:
            return prompt
        try:
            async with asyncio.timeout(LOAD_TIMEOUT_S):
                exact = await tokenizer.count_tokens(to_request(prompt))
        except (AppError, TimeoutError) as error:  # the model itself will say what is wrong, or another answers
            logger.debug("the prompt could not be counted: {}", error)
            return prompt
        if exact <= room:
            return replace(prompt, prompt_tokens=exact, counted_by=CountedBy.TOKENIZER)
        allowed = int(allowed * room / exact * MARGIN)
    raise ContextOverflow(
        f"the question needs {exact} tokens and the model's context leaves {room}; shorten it or choose a model with a "
        "larger context",
        details={"needed_tokens": exact, "available_tokens": room, "counted_by": CountedBy.TOKENIZER.value},
    )


async def count_written(
    prompt: Prompt, written: str, tokenizer: CountsTokens | None, *, model: str | None
) -> TokenUsage:
    """For an answer whose model did not say: it was stopped, or the model never does."""
    if tokenizer is not None and prompt.counted_by is CountedBy.TOKENIZER:
        try:
            async with asyncio.timeout(COUNT_TIMEOUT_S):
                tokens = await tokenizer.count_text(written, model=model) if written else 0
            return TokenUsage(prompt.prompt_tokens, tokens, counted_by=CountedBy.TOKENIZER)
        except (AppError, TimeoutError) as error:
            logger.debug("the answer could not be counted: {}", error)
    return TokenUsage(prompt.prompt_tokens, estimate_tokens(written) if written else 0, counted_by=CountedBy.ESTIMATE)
