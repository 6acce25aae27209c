from contextlib import asynccontextmanager


@asynccontextmanager
async def lifespan(_app):
    events = ["up"]
    try:
        yield {"greeting": "hello"}
    finally:
        events.append("down")
