from openai import OpenAI


def ask(client: OpenAI, question: str) -> str:
    completion = client.chat.completions.create(
        model="gpt-test", messages=[{"role": "user", "content": question}]
    )
    return completion.choices[0].message.content or ""


# One after the other.
def twice(client: OpenAI, question: str) -> list[str]:
    return [ask(client, question), ask(client, f"{question} again").upper()]
