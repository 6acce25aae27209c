import os

import httpx
from fastapi import FastAPI

app = FastAPI()


@app.get("/ask")
async def ask(q: str) -> dict[str, object]:
    client = httpx.AsyncClient(base_url=os.environ["UPSTREAM_URL"])
    response = await client.get("/ask", params={"q": q})
    await client.aclose()
    return {"answer": response.json(), "closed": client.is_closed}
