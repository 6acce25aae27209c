"""Vectors for texts."""

from functools import lru_cache

from openai import OpenAI

from helpdesk.config import get_settings


@lru_cache
def get_client() -> OpenAI:
    return OpenAI(api_key=get_settings().openai_api_key, timeout=20)


def embed(text: str) -> list[float]:
    response = get_client().embeddings.create(model=get_settings().embedding_model, input=text)
    return response.data[0].embedding


def similarity(left: list[float], right: list[float]) -> float:
    return sum(a * b for a, b in zip(left, right, strict=False))
