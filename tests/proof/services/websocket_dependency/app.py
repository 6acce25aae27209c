import os

import httpx
from fastapi import APIRouter, Depends, FastAPI, WebSocket


async def verify() -> str:
    async with httpx.AsyncClient(base_url=os.environ["UPSTREAM_URL"]) as client:
        return (await client.get("/verify")).json()["path"]


async def user(path: str = Depends(verify)) -> str:
    return f"user of {path}"


app = FastAPI()
router = APIRouter(dependencies=[Depends(verify)])


@app.get("/ask")
async def ask(name: str = Depends(user)) -> str:
    return name


@app.websocket("/direct")
async def direct(socket: WebSocket, name: str = Depends(user)) -> None:
    await socket.accept()
    await socket.send_text(f"{name}: {await socket.receive_text()}")
    await socket.close()


@router.websocket("/routed")
async def routed(socket: WebSocket) -> None:
    await socket.accept()
    await socket.send_text(await socket.receive_text())
    await socket.close()


app.include_router(router)
