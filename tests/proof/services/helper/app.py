from fastapi import FastAPI

import answers
from prices import price

app = FastAPI()


@app.get("/ask")
async def ask(q: str) -> str:
    return await answers.answer(q)


@app.get("/price")
async def get_price(q: str) -> object:
    return await price(q)
