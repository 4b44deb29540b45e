"""A call as a customer makes it: the official SDK, streaming."""

import openai


def stream_text(gateway: str, key: str) -> str:
    """The text of one streamed chat completion."""
    with openai.OpenAI(api_key=key, base_url=f"{gateway}/openai/v1") as client:
        stream = client.chat.completions.create(
            model="gpt-5-mini", stream=True, messages=[{"role": "user", "content": "hello"}]
        )
        return "".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices)
