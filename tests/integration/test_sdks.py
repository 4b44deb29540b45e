"""Official SDKs, unchanged but for base URL and key: what the ledger holds is what each SDK reports as usage."""

import gc
import warnings
from collections.abc import Iterator
from typing import Any

import anthropic
import google.genai
import google.genai.types
import mistralai.client
import ollama
import openai
import pytest

from tests.support.gateway import Gateway

QUESTION = "How many tokens does a toll gate count"
TOOL: Any = {
    "type": "function",
    "function": {
        "name": "look_up",
        "description": "Look a thing up",
        "parameters": {"type": "object", "properties": {"query": {"type": "string"}}},
    },
}


@pytest.fixture(autouse=True)
def forget_sockets_that_an_sdk_left_open() -> Iterator[None]:
    """Some SDKs close their connections only when they are collected, which Python warns of."""
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


def last_event(gateway: Gateway) -> dict[str, Any]:
    """The event of the request that reached the upstream last."""
    entry = gateway.journal()[-1]
    assert entry["complete"]
    return gateway.event(entry["ids"]["x-billing-request-id"])


def assert_usage(gateway: Gateway, **expected: int) -> dict[str, Any]:
    """The ledger's event carries these numbers, exactly."""
    event = last_event(gateway)
    usage = event["data"]["usage"]
    assert {name: usage[name] for name in expected} == expected
    assert event["data"]["quality"] == "exact"
    assert event["data"]["outcome"] == "completed"
    assert event["data"]["witness"] == {"stream": "meter", "native": "access_log"}[gateway.mode]
    gateway.assert_exact()
    return event


def openai_client(gateway: Gateway) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{gateway.url}/openai/v1", api_key=gateway.key("acme-openai"), max_retries=0)


def test_openai_chat(gateway: Gateway) -> None:
    with openai_client(gateway) as client:
        answer = client.chat.completions.create(model="gpt-5", messages=[{"role": "user", "content": QUESTION}])
    assert answer.usage
    assert_usage(gateway, prompt_tokens=answer.usage.prompt_tokens, completion_tokens=answer.usage.completion_tokens)


def test_openai_chat_stream_with_usage_asked(gateway: Gateway) -> None:
    with openai_client(gateway) as client:
        chunks = list(
            client.chat.completions.create(
                model="gpt-5",
                messages=[{"role": "user", "content": QUESTION}],
                stream=True,
                stream_options={"include_usage": True},
            )
        )
    usage = chunks[-1].usage
    assert usage
    assert_usage(gateway, prompt_tokens=usage.prompt_tokens, completion_tokens=usage.completion_tokens)


@pytest.mark.parametrize("options", [None, {"include_usage": False}])
def test_openai_chat_stream_without_usage_asked_is_metered_and_shows_no_usage_chunk(
    gateway: Gateway, options: Any
) -> None:
    more: dict[str, Any] = {"stream_options": options} if options else {}
    with openai_client(gateway) as client:
        chunks = list(
            client.chat.completions.create(
                model="gpt-5", messages=[{"role": "user", "content": QUESTION}], stream=True, **more
            )
        )
    assert all(chunk.choices for chunk in chunks)
    assert not any(chunk.usage for chunk in chunks)
    assert_usage(gateway, prompt_tokens=len(QUESTION.split()), completion_tokens=12)


def test_openai_chat_tools_over_several_turns(gateway: Gateway) -> None:
    messages: list[Any] = [{"role": "user", "content": '[[sandbox {"tool": true}]] look it up'}]
    with openai_client(gateway) as client:
        first = client.chat.completions.create(model="gpt-5", messages=messages, tools=[TOOL])
        assert first.usage
        assert_usage(gateway, completion_tokens=first.usage.completion_tokens)
        call = first.choices[0].message.tool_calls[0]  # type: ignore[index]
        messages += [
            first.choices[0].message.model_dump(exclude_none=True),
            {"role": "tool", "tool_call_id": call.id, "content": "forty two"},
        ]
        second = list(
            client.chat.completions.create(
                model="gpt-5",
                messages=messages,
                tools=[TOOL],
                stream=True,
                stream_options={"include_usage": True},
            )
        )
    assert second[-1].usage
    assert_usage(gateway, prompt_tokens=second[-1].usage.prompt_tokens)


def test_openai_responses(gateway: Gateway) -> None:
    with openai_client(gateway) as client:
        answer = client.responses.create(model="gpt-5", input=QUESTION)
        assert answer.usage
        assert_usage(gateway, input_tokens=answer.usage.input_tokens, output_tokens=answer.usage.output_tokens)
        with client.responses.stream(model="gpt-5", input=QUESTION) as stream:
            final = stream.get_final_response()
    assert final.usage
    assert_usage(gateway, input_tokens=final.usage.input_tokens, output_tokens=final.usage.output_tokens)


def test_anthropic(gateway: Gateway) -> None:
    with anthropic.Anthropic(
        base_url=f"{gateway.url}/anthropic", api_key=gateway.key("acme-claude"), max_retries=0
    ) as client:
        answer = client.messages.create(
            model="claude-example", max_tokens=64, messages=[{"role": "user", "content": QUESTION}]
        )
        expected = {"input_tokens": answer.usage.input_tokens, "output_tokens": answer.usage.output_tokens}
        event = assert_usage(gateway, **expected)
        assert event["data"]["quantities"] == {"claude-tokens": str(sum(expected.values()))}
        with client.messages.stream(
            model="claude-example",
            max_tokens=64,
            messages=[{"role": "user", "content": '[[sandbox {"cached": 3, "cache_write": 2}]] ' + QUESTION}],
        ) as stream:
            final = stream.get_final_message()
    assert_usage(
        gateway,
        input_tokens=final.usage.input_tokens,
        output_tokens=final.usage.output_tokens,
        cache_read_input_tokens=3,
        cache_creation_input_tokens=2,
    )


def test_anthropic_tools(gateway: Gateway) -> None:
    tool: Any = {"name": "look_up", "description": "d", "input_schema": {"type": "object", "properties": {}}}
    with anthropic.Anthropic(
        base_url=f"{gateway.url}/anthropic", auth_token=gateway.key("acme-claude"), max_retries=0
    ) as client:
        messages: list[Any] = [{"role": "user", "content": '[[sandbox {"tool": true}]] look it up'}]
        with client.messages.stream(model="m", max_tokens=64, messages=messages, tools=[tool]) as stream:
            final = stream.get_final_message()
    assert_usage(gateway, input_tokens=final.usage.input_tokens, output_tokens=final.usage.output_tokens)


def test_gemini(gateway: Gateway) -> None:
    client = google.genai.Client(
        api_key=gateway.key("beta-gemini"),
        http_options=google.genai.types.HttpOptions(base_url=f"{gateway.url}/gemini"),
    )
    answer = client.models.generate_content(model="gemini-2.5-pro", contents=QUESTION)
    assert answer.usage_metadata
    total = answer.usage_metadata.total_token_count
    assert total
    event = assert_usage(gateway, totalTokenCount=total)
    assert event["data"]["quantities"] == {"gemini-tokens": str(2 * total)}
    chunks = list(client.models.generate_content_stream(model="gemini-2.5-flash", contents=QUESTION))
    assert chunks[-1].usage_metadata
    total = chunks[-1].usage_metadata.total_token_count
    assert total
    event = assert_usage(gateway, totalTokenCount=total)
    assert event["data"]["quantities"] == {"gemini-tokens": str(total)}
    client.close()


def test_ollama(gateway: Gateway) -> None:
    client = ollama.Client(
        host=f"{gateway.url}/ollama", headers={"Authorization": f"Bearer {gateway.key('acme-open-models')}"}
    )
    answer = client.chat(model="llama3.3", messages=[{"role": "user", "content": QUESTION}])
    assert answer.prompt_eval_count
    assert answer.eval_count
    assert_usage(gateway, prompt_eval_count=answer.prompt_eval_count, eval_count=answer.eval_count)
    parts = list(client.generate(model="llama3.3", prompt=QUESTION, stream=True))
    assert parts[-1].eval_count
    assert_usage(gateway, eval_count=parts[-1].eval_count)
    client.close()  # type: ignore[no-untyped-call]


def test_mistral(gateway: Gateway) -> None:
    with mistralai.client.Mistral(
        api_key=gateway.key("acme-open-models"), server_url=f"{gateway.url}/mistral"
    ) as client:
        answer = client.chat.complete(model="mistral-large-latest", messages=[{"role": "user", "content": QUESTION}])
        assert answer.usage.total_tokens
        assert_usage(gateway, total_tokens=answer.usage.total_tokens)
        with client.chat.stream(
            model="mistral-large-latest", messages=[{"role": "user", "content": QUESTION}]
        ) as stream:
            chunks = list(stream)
    usage = chunks[-1].data.usage
    assert usage
    assert usage.total_tokens
    assert_usage(gateway, total_tokens=usage.total_tokens)


def test_deepseek(gateway: Gateway) -> None:
    with openai.OpenAI(
        base_url=f"{gateway.url}/deepseek", api_key=gateway.key("acme-open-models"), max_retries=0
    ) as client:
        chunks = list(
            client.chat.completions.create(
                model="deepseek-chat", messages=[{"role": "user", "content": QUESTION}], stream=True
            )
        )
    assert all(chunk.choices for chunk in chunks)
    assert_usage(gateway, prompt_tokens=len(QUESTION.split()))


@pytest.mark.parametrize("path", ["/openai/v1", "/deepseek"])
def test_errors_are_the_sdk_s_own(gateway: Gateway, path: str) -> None:
    with (
        openai.OpenAI(base_url=f"{gateway.url}{path}", api_key="tg_live_wrong", max_retries=0) as client,
        pytest.raises(openai.AuthenticationError) as caught,
    ):
        client.chat.completions.create(model="m", messages=[])
    assert caught.value.code == "invalid_api_key"
