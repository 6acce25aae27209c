from fastapi import FastAPI

from routes import router


def create_app() -> FastAPI:
    app = FastAPI(title="made to order")
    app.include_router(router, prefix="/api")
    return app
