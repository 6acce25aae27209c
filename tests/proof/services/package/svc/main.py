import contextlib
from typing import AsyncGenerator
from fastapi import FastAPI
from starlette.middleware import Middleware
from .middle import Stamp
from . import routes
from .routes import sub as subroutes
from .settings import settings

resources = {}


@contextlib.asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncGenerator[None, None]:
    """Starts and stops."""
    resources["db"] = object()
    try:
        # ready
        yield
        # done
    finally:
        resources.clear()


def build() -> FastAPI:
    application = FastAPI(
        lifespan=lifespan,
        middleware=[Middleware(Stamp, header="x-stamp")],
    )
    application.include_router(routes.router)
    application.include_router(subroutes.router, prefix=settings.prefix)
    return application


app = build()
