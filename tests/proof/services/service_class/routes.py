from fastapi import APIRouter

from summaries import Summaries

router = APIRouter()


@router.get("/summary")
async def summary(q: str, words: int = 10) -> str:
    service = Summaries(words)
    return await service.write(q)
