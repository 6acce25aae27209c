from fastapi import FastAPI

from inner import inner

app = FastAPI()
app.mount("/inner", inner)


@app.get("/outer")
async def outer() -> str:
    return "outer"
