"""The application: `uvicorn helpdesk.app:app`."""

import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import httpx
from fastapi import FastAPI, Request, Response

from helpdesk.config import get_settings
from helpdesk.routers import articles, exports, tickets
from helpdesk.services.history import History
from helpdesk.services.tickets import TicketStore

log = logging.getLogger(__name__)


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    settings = get_settings()
    async with httpx.AsyncClient(base_url=settings.crm_url, timeout=10) as crm:
        app.state.crm = crm
        app.state.tickets = TicketStore()
        app.state.history = History()
        yield


app = FastAPI(title="Help desk", lifespan=lifespan)
app.include_router(tickets.router, prefix="/tickets", tags=["tickets"])
app.include_router(articles.router, prefix="/articles", tags=["articles"])
app.include_router(exports.router, prefix="/exports", tags=["exports"])


@app.middleware("http")
async def log_duration(
    request: Request, call_next: Callable[[Request], Awaitable[Response]]
) -> Response:
    started = time.perf_counter()
    response = await call_next(request)
    elapsed = 1000 * (time.perf_counter() - started)
    log.info("%s %s %.1f ms", request.method, request.url.path, elapsed)
    return response


@app.get("/health")
async def health() -> dict[str, str]:
    return {"status": "ok"}
