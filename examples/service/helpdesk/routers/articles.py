"""The knowledge base."""

from fastapi import APIRouter

from helpdesk.dependencies import Llm
from helpdesk.services import retrieval, translations

router = APIRouter()


@router.get("/search")
async def search(q: str, limit: int = 3) -> list[str]:
    return [article.title for article in retrieval.rank(q)[:limit]]


@router.post("/reindex", status_code=202)
def reindex() -> dict[str, int]:
    return {"articles": retrieval.index_all()}


@router.post("/translate")
async def translate(text: str, languages: list[str], llm: Llm) -> dict[str, str]:
    return await translations.into_all(llm, text, languages)
