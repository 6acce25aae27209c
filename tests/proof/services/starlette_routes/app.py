import os

import httpx
from anthropic import AsyncAnthropic
from starlette.applications import Starlette
from starlette.endpoints import HTTPEndpoint
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Mount, Route


async def ask(request: Request) -> PlainTextResponse:
    async with AsyncAnthropic() as client:
        message = await client.messages.create(
            model="claude-test",
            max_tokens=100,
            messages=[{"role": "user", "content": request.query_params["q"]}],
        )
    return PlainTextResponse(message.content[0].text)


class Search(HTTPEndpoint):
    async def get(self, request: Request) -> JSONResponse:
        async with httpx.AsyncClient(base_url=os.environ["UPSTREAM_URL"]) as client:
            response = await client.get("/search", params=dict(request.query_params))
        return JSONResponse(response.json())


app = Starlette(routes=[Route("/ask", ask), Mount("/find", routes=[Route("/search", Search)])])
