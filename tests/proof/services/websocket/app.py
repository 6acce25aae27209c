from fastapi import FastAPI, WebSocket
from openai import AsyncOpenAI

app = FastAPI()


@app.websocket("/chat")
async def chat(socket: WebSocket) -> None:
    await socket.accept()
    question = await socket.receive_text()
    async with AsyncOpenAI() as client:
        stream = await client.chat.completions.create(
            model="gpt-test", messages=[{"role": "user", "content": question}], stream=True
        )
        answer = ""
        async for chunk in stream:
            answer += chunk.choices[0].delta.content or "|"
    await socket.send_text(answer)
    await socket.close()
