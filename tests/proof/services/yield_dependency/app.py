from fastapi import Depends, FastAPI

from clients import get_llm, get_search

app = FastAPI()


@app.get("/ask")
async def ask(q: str, llm=Depends(get_llm)):
    message = await llm.messages.create(
        model="claude-test",
        max_tokens=100,
        messages=[{"role": "user", "content": q}],
    )
    return message.content[0].text


@app.get("/search")
async def search(q: str, client=Depends(get_search)):
    return (await client.get("/search", params={"q": q})).json()
