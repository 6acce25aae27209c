from fastapi import FastAPI

from routers import chat

app = FastAPI(
    title="Chat",
    version="2",
)
app.include_router(chat.router, prefix="/chat")
