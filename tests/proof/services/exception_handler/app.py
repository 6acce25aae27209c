import os

import httpx
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

app = FastAPI()


class Unknown(Exception):
    pass


@app.exception_handler(Unknown)
async def unknown(request: Request, error: Unknown) -> JSONResponse:
    async with httpx.AsyncClient() as client:
        kept = await client.post(os.environ["UPSTREAM_URL"] + "/errors", json=str(error))
    return JSONResponse(kept.json(), status_code=404)


@app.get("/ask")
async def ask(q: str) -> str:
    raise Unknown(q)
