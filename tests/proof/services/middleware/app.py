import os

import httpx
from fastapi import FastAPI, Request
from starlette.middleware.base import BaseHTTPMiddleware

app = FastAPI()


@app.middleware("http")
async def flags(request: Request, call_next):
    async with httpx.AsyncClient(base_url=os.environ["UPSTREAM_URL"]) as client:
        found = await client.get("/flags", params={"path": request.url.path})
    response = await call_next(request)
    response.headers["x-flags"] = found.json()["query"]["path"]
    return response


class Audit(BaseHTTPMiddleware):
    """Asks who may come in."""

    def __init__(self, app, name: str):
        super().__init__(app)
        self.name = name

    async def dispatch(self, request, call_next):
        client = httpx.AsyncClient(timeout=3)
        allowed = await client.post(f"{os.environ['UPSTREAM_URL']}/audit", json=self.name)
        await client.aclose()
        response = await call_next(request)
        response.headers["x-audit"] = allowed.json()["body"]
        return response


app.add_middleware(Audit, name="front door")


@app.get("/ask")
async def ask(q: str) -> str:
    return q[::-1]
