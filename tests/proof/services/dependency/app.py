from fastapi import Depends, FastAPI

from clients import get_llm, get_search

app = FastAPI()


@app.get("/ask")
async def ask(q: str, llm=Depends(get_llm)):
    completion = await llm.chat.completions.create(
        model="gpt-test-mini", messages=[{"role": "user", "content": q}]
    )
    return completion.choices[0].message.content


@app.get("/search")
async def search(q: str, client=Depends(get_search)):
    return (await client.get("/search", params={"q": q})).json()
