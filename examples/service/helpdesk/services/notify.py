"""Messages to the team's chat."""

import httpx

from helpdesk.config import get_settings


async def tell_team(text: str) -> bool:
    return await _post(get_settings().chat_webhook, {"text": text})


async def _post(url: str, payload: dict[str, str]) -> bool:
    async with httpx.AsyncClient(timeout=5) as client:
        try:
            response = await client.post(url, json=payload)
        except httpx.HTTPError:
            return False
        return response.is_success
