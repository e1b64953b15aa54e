"""Liveness, readiness and metrics. Not under /api/v1: probes and scrapers look for them here."""

from time import monotonic

from fastapi import APIRouter, Request, Response

from app import __version__
from app.observability import metrics
from app.observability.readiness import Readiness
from app.schemas.health import Health, PortHealth, Ready

STARTED = monotonic()

router = APIRouter(tags=["health"])


@router.get("/health")
async def health() -> Health:
    """The process answers. It says nothing about what it depends on: see /ready."""
    return Health(version=__version__, uptime_s=round(monotonic() - STARTED, 3))


@router.get("/ready", responses={503: {"model": Ready, "description": "a port that is needed is down"}})
async def ready(request: Request, response: Response) -> Ready:
    """Each port by name, and whether it works."""
    readiness: Readiness = request.state.readiness
    states = await readiness.states()
    if down := any(state.needed and not state.ok for state in states.values()):
        response.status_code = 503
    ports = {name: PortHealth.model_validate(state) for name, state in states.items()}
    return Ready(status="not_ready" if down else "ready", ports=ports)


@router.get("/metrics", response_class=Response)
async def read_metrics() -> Response:
    """All metrics in Prometheus' text format."""
    return Response(metrics.render(), headers={"Content-Type": metrics.CONTENT_TYPE})
