from typing import Annotated

from fastapi import Depends, FastAPI

from assistant import Assistant, Catalogue

app = FastAPI()


@app.get("/ask")
async def ask(q: str, assistant: Assistant = Depends()) -> str:
    return await assistant.answer(q)


@app.get("/find")
async def find(q: str, catalogue: Annotated[Catalogue, Depends(Catalogue)]) -> object:
    return await catalogue.find(q)
