"""Settings, read once from the environment."""

import os
from dataclasses import dataclass
from functools import lru_cache


@dataclass(frozen=True)
class Settings:
    anthropic_api_key: str
    openai_api_key: str
    model: str
    embedding_model: str
    crm_url: str
    chat_webhook: str
    archive_url: str


@lru_cache
def get_settings() -> Settings:
    return Settings(
        anthropic_api_key=os.environ.get("ANTHROPIC_API_KEY", "not-set"),
        openai_api_key=os.environ.get("OPENAI_API_KEY", "not-set"),
        model=os.environ.get("HELPDESK_MODEL", "claude-haiku-4-5"),
        embedding_model=os.environ.get("HELPDESK_EMBEDDINGS", "text-embedding-3-small"),
        crm_url=os.environ.get("HELPDESK_CRM_URL", "http://127.0.0.1:9001"),
        chat_webhook=os.environ.get("HELPDESK_CHAT_WEBHOOK", "http://127.0.0.1:9002/hook"),
        archive_url=os.environ.get("HELPDESK_ARCHIVE_URL", "http://127.0.0.1:9003/tickets"),
    )
