from llm import complete


async def answer(question: str) -> str:
    return await complete(f"Answer: {question}")
