from fastapi import APIRouter, BackgroundTasks, Depends
from fastapi.responses import StreamingResponse
from svc.services import Poet
import svc.settings as conf
import httpx

router = APIRouter()


def get_poet() -> Poet:
    return Poet()


@router.get("/poem")
async def poem(q: str, poet: Poet = Depends(get_poet)):
    return await poet.write(q)


@router.get("/poem2")
async def poem2(q: str):
    return await Poet().write(q)


@router.get("/stream")
async def stream(q: str):
    client = httpx.AsyncClient(base_url=conf.settings.url)
    request = client.build_request("GET", "/stream", params={"q": q})
    response = await client.send(request, stream=True)

    async def body():
        try:
            async for part in response.aiter_bytes():
                yield part
        finally:
            await response.aclose()
            await client.aclose()

    return StreamingResponse(body())


@router.get("/stream2")
async def stream2(q: str):
    async def body():
        async with httpx.AsyncClient(base_url=conf.settings.url) as client:
            async with client.stream("GET", "/stream", params={"q": q}) as response:
                async for part in response.aiter_bytes():
                    yield part

    return StreamingResponse(body())


def task(q):
    with httpx.Client(base_url=conf.settings.url) as client:
        client.post("/task", json=q)


@router.get("/tasks")
async def tasks(q: str, background: BackgroundTasks):
    background.add_task(task, q)
    return f"mailed {q}"
