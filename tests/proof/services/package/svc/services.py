from openai import AsyncOpenAI


class Base:
    def __init__(self):
        self.llm = AsyncOpenAI()


class Poet(Base):
    async def write(self, q):
        c = await self.llm.chat.completions.create(model="gpt-test", messages=[{"role": "user", "content": q}])
        return c.choices[0].message.content
