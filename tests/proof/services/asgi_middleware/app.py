import os

import httpx2
from fastapi import FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send


class Trace:
    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        async with httpx2.AsyncClient() as client:
            await client.post(f"{os.environ['UPSTREAM_URL']}/trace", json={"path": scope["path"]})
        await self.app(scope, receive, send)


app = FastAPI()
app.add_middleware(Trace)


@app.get("/ask")
async def ask(q: str) -> str:
    return q.upper()
