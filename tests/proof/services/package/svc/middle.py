import os
import httpx
from starlette.middleware.base import BaseHTTPMiddleware


class Stamp(BaseHTTPMiddleware):
    def __init__(self, app, header):
        super().__init__(app)
        self.header = header

    async def dispatch(self, request, call_next):
        client = httpx.AsyncClient()
        try:
            r = await client.get(os.environ["UPSTREAM_URL"] + "/stamp2")
        finally:
            await client.aclose()
        response = await call_next(request)
        response.headers[self.header] = r.json()["path"]
        return response
