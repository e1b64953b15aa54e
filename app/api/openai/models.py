"""GET /v1/models"""

import time
from typing import Final

from fastapi import APIRouter
from pydantic import BaseModel, Field

from app.api.deps import CompletionsDep, CurrentUser, EmbeddingsDep
from app.services.embeddings import BUILT_IN_SOURCE
from app.services.llm import catalogue
from app.services.llm.base import ModelInfo, ModelKind
from app.services.llm.catalogue import Offer

router = APIRouter(tags=["openai"])
STARTED: Final = int(time.time())  # no source says when a model was made


class ModelOut(BaseModel):
    """A model. The fields after `owned_by` are ours; null where the source does not say."""

    id: str = Field(examples=["openai/gpt-4o-mini"], description="what to send as `model`")
    object: str = "model"
    created: int = STARTED
    owned_by: str = Field(examples=["openai"])
    kind: ModelKind | None = None
    context_tokens: int | None = None
    size_bytes: int | None = None
    loaded: bool | None = None


class ModelList(BaseModel):
    object: str = "list"
    data: list[ModelOut]


@router.get("/models")
async def list_models(_: CurrentUser, completions: CompletionsDep, embeddings: EmbeddingsDep) -> ModelList:
    """Every model of every configured source that can be reached, as `source/model`."""
    return ModelList(data=[_out(offer) for offer in await _offers(completions, embeddings)])


@router.get("/models/{model:path}")
async def get_model(model: str, _: CurrentUser, completions: CompletionsDep, embeddings: EmbeddingsDep) -> ModelOut:
    """One of them, by `source/model` or by its bare name."""
    return _out(catalogue.find(await _offers(completions, embeddings), model))


async def _offers(completions: CompletionsDep, embeddings: EmbeddingsDep) -> list[Offer]:
    found = await catalogue.offers(completions.pool)
    if embeddings.built_in is not None:
        info = ModelInfo(embeddings.built_in, kind=ModelKind.EMBEDDING)
        found.append(Offer(embeddings.built_in, BUILT_IN_SOURCE, info))
    return found


def _out(offer: Offer) -> ModelOut:
    info = offer.info
    if info is None:
        return ModelOut(id=offer.id, owned_by=offer.source)
    return ModelOut(
        id=offer.id,
        owned_by=offer.source,
        kind=info.kind,
        context_tokens=info.context_tokens,
        size_bytes=info.size_bytes,
        loaded=info.loaded,
    )
