import os

import httpx
from fastapi import BackgroundTasks, FastAPI

app = FastAPI()


async def notify(text: str) -> None:
    async with httpx.AsyncClient(base_url=os.environ["UPSTREAM_URL"]) as client:
        response = await client.post("/notify", json={"text": text})
        response.raise_for_status()


@app.get("/order")
async def order(q: str, tasks: BackgroundTasks) -> str:
    tasks.add_task(notify, q)
    return f"ordered {q}"
