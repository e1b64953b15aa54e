"""Models: which there are, how their sources do, fetch and remove local ones, and the offer of a first one."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from app.api.deps import Administrator, CurrentUser, ModelsDep, OffersDep, PullsDep
from app.schemas.base import PageOf
from app.schemas.models import ModelList, ModelOut, OfferAnswer, OfferOut, PullOut, PullRequest, SourceOut, SourceReason

Source = Annotated[str, Query(max_length=64)]
router = APIRouter(prefix="/models", tags=["models"])


@router.get("/list")
async def list_models(
    _: CurrentUser,
    models: ModelsDep,
    mode: Annotated[
        str | None, Query(max_length=64, description="local, ollama, aihub, openai or a row's name")
    ] = None,
) -> ModelList:
    """The models of one source, or of all that are configured. A source that cannot be asked has none, and a reason.

    What a source says is kept for 20 seconds.
    """
    offered = await models.offered(mode)
    items = [
        ModelOut(
            name=model.name,
            model_source=source.model_source,
            kind=model.kind,
            context_tokens=model.context_tokens,
            size_bytes=model.size_bytes,
            loaded=model.loaded,
            memory_bytes=model.memory_bytes,
            is_default=model.name == source.default_model,
        )
        for source in offered
        for model in source.models
    ]
    sources = [SourceReason.model_validate(source) for source in offered]
    return ModelList(items=items, sources=sources, reason=sources[0].reason if mode is not None else None)


@router.get("/status")
async def get_status(_: CurrentUser, models: ModelsDep) -> dict[str, SourceOut]:
    """Every source by name, configured or not: whether it answers, what is loaded, who waits, and its last error."""
    return {name: SourceOut.model_validate(status) for name, status in (await models.status()).items()}


@router.post("/pull", status_code=202)
async def pull_model(body: PullRequest, user: Administrator, pulls: PullsDep) -> PullOut:
    """Fetch a model in the background, or join its running pull. Follow it with `GET /events`, event `model`.

    Administrators only: a path and an object storage are read with the server's rights.
    """
    return PullOut.model_validate(await pulls.start(user.user_id, body.name, model_source=body.model_source))


@router.get("/pulls")
async def list_pulls(_: Administrator, pulls: PullsDep) -> PageOf[PullOut]:
    """Those that run or wait, and for ten minutes those that have ended."""
    return PageOf(items=[PullOut.model_validate(pull) for pull in pulls.shown()])


@router.delete("/pulls/{name:path}", status_code=204)
async def cancel_pull(name: str, _: Administrator, pulls: PullsDep, model_source: Source = "local") -> Response:
    """End a pull. What was fetched is kept, and pulling the same again goes on from there."""
    await pulls.cancel(name, model_source=model_source)
    return Response(status_code=204)


@router.delete("/local/{name}", status_code=204)
async def remove_model(name: str, _: Administrator, pulls: PullsDep) -> Response:
    """Remove a local model's files, and what an unfinished pull of it has left. It is unloaded first."""
    await pulls.remove(name)
    return Response(status_code=204)


@router.get("/offer")
async def get_offer(_: CurrentUser, offers: OffersDep) -> OfferAnswer:
    """A small model to begin with, when there is none and the hub can be reached. Nothing is fetched by asking."""
    offer = await offers.current()
    return OfferAnswer(offer=None if offer is None else OfferOut.model_validate(offer))
