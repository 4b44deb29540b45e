"""Official SDKs, unmodified, against the sandbox: what they report is what the journal says."""

from contextlib import closing
from typing import Any

import anthropic
import ollama
import openai
import pytest
from google import genai
from google.genai import types
from mistralai.client import Mistral

from .conftest import Server, script

MODEL = "sandbox-large"
PROMPT = "how much is the toll"
TOOL = {"name": "fare", "description": "d", "parameters": {"type": "object", "properties": {}}}
FUNCTION = {"type": "function", "function": TOOL}
HEADERS = script(tokens=7, cached=3, reasoning=2)


def openai_client(server: Server, path: str = "/v1") -> openai.OpenAI:
    return openai.OpenAI(base_url=server.url + path, api_key="k", max_retries=0)


def claude(server: Server) -> anthropic.Anthropic:
    return anthropic.Anthropic(base_url=server.url, api_key="k", max_retries=0)


def gemini(server: Server, headers: dict[str, str]) -> genai.Client:
    return genai.Client(api_key="k", http_options=types.HttpOptions(base_url=server.url, headers=headers))


def mistral(server: Server) -> Mistral:
    return Mistral(api_key="k", server_url=f"{server.url}/mistral")


def user(text: str = PROMPT) -> Any:
    return [{"role": "user", "content": text}]


def dump(usage: Any) -> dict[str, Any]:
    found: dict[str, Any] = usage.model_dump(exclude_none=True, exclude_unset=True, by_alias=True)
    return found


@pytest.mark.parametrize("path", ["/v1", "/deepseek", "/deepseek/v1"])
def test_chat_completion(server: Server, path: str) -> None:
    with openai_client(server, path) as client:
        answer = client.chat.completions.create(model=MODEL, messages=user(), extra_headers=HEADERS)
    entry = server.last()
    assert answer.usage is not None
    assert dump(answer.usage) == entry["usage"]
    assert answer.usage.prompt_tokens == 5
    assert answer.usage.completion_tokens == 7
    assert answer.choices[0].finish_reason == "stop"
    assert len((answer.choices[0].message.content or "").split()) == 5
    assert entry["complete"]
    assert not entry["streamed"]


@pytest.mark.parametrize("path", ["/v1", "/deepseek"])
def test_chat_stream(server: Server, path: str) -> None:
    with openai_client(server, path) as client:
        chunks = list(
            client.chat.completions.create(
                model=MODEL,
                messages=user(),
                stream=True,
                stream_options={"include_usage": True},
                max_completion_tokens=6,
                extra_headers=HEADERS,
            )
        )
    entry = server.last()
    assert chunks[-1].choices == []
    assert dump(chunks[-1].usage) == entry["usage"]
    assert all(chunk.usage is None for chunk in chunks[:-1])
    assert chunks[0].choices[0].delta.role == "assistant"
    assert chunks[-2].choices[0].finish_reason == "length"
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks[:-1])
    assert len(text.split()) == 4
    assert (entry["complete"], entry["streamed"], entry["events"]) == (True, True, len(chunks) + 1)


def test_chat_stream_has_no_usage_unless_asked(server: Server) -> None:
    with openai_client(server) as client:
        chunks = list(client.chat.completions.create(model=MODEL, messages=user(), stream=True, n=2))
    assert all("usage" not in chunk.model_fields_set for chunk in chunks)
    assert {choice.index for chunk in chunks for choice in chunk.choices} == {0, 1}
    assert server.last()["usage"]["completion_tokens"] == 24


def test_chat_tool(server: Server) -> None:
    headers = script(tool=True, tool_args={"usage": {"prompt_tokens": 9}})
    tools: Any = [FUNCTION]
    with openai_client(server) as client:
        whole = client.chat.completions.create(model=MODEL, messages=user(), tools=tools, extra_headers=headers)
        with client.chat.completions.stream(model=MODEL, messages=user(), tools=tools, extra_headers=headers) as stream:
            streamed = stream.get_final_completion()
    for answer in (whole, streamed):
        call: Any = (answer.choices[0].message.tool_calls or [])[0]
        assert call.function.name == "fare"
        assert call.function.arguments == '{"usage":{"prompt_tokens":9}}'
        assert answer.choices[0].finish_reason == "tool_calls"


def test_deepseek_reasoning(server: Server) -> None:
    with openai_client(server, "/deepseek") as client:
        answer: Any = client.chat.completions.create(model=MODEL, messages=user(), extra_headers=HEADERS)
    assert answer.choices[0].message.reasoning_content == "toll gate"
    assert answer.usage.prompt_cache_hit_tokens == 3
    assert answer.usage.prompt_cache_miss_tokens == 2


def test_responses(server: Server) -> None:
    with openai_client(server) as client:
        answer = client.responses.create(model=MODEL, input=PROMPT, extra_headers=HEADERS)
        assert dump(answer.usage) == server.last()["usage"]
        assert answer.status == "completed"
        assert len(answer.output_text.split()) == 5
        short = client.responses.create(model=MODEL, input=PROMPT, max_output_tokens=2)
    assert short.status == "incomplete"
    assert short.incomplete_details is not None
    assert short.incomplete_details.reason == "max_output_tokens"


def test_responses_stream(server: Server) -> None:
    with (
        openai_client(server) as client,
        client.responses.stream(model=MODEL, input=user(), extra_headers=HEADERS) as stream,
    ):
        events: list[Any] = list(stream)
        final = stream.get_final_response()
    assert dump(final.usage) == server.last()["usage"]
    assert final.output_text.split() == ["toll", "gate", "road", "coin", "lane"]
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert {event.response.usage for event in events[:2]} == {None}


def test_responses_tool(server: Server) -> None:
    tools: Any = [{"type": "function", "strict": False, **TOOL}]
    with (
        openai_client(server) as client,
        client.responses.stream(model=MODEL, input=PROMPT, tools=tools, extra_headers=script(tool=True)) as stream,
    ):
        call: Any = stream.get_final_response().output[0]
    assert (call.type, call.name, call.arguments) == ("function_call", "fare", '{"query":"toll gate"}')


def test_responses_failure(server: Server) -> None:
    with openai_client(server) as client:
        headers = script(error_event_after=3)
        events = list(client.responses.create(model=MODEL, input=PROMPT, stream=True, extra_headers=headers))
    assert events[-1].type == "response.failed"
    assert not server.last()["complete"]


def test_anthropic(server: Server) -> None:
    headers = script(tokens=7, cached=30, cache_write=4, reasoning=2)
    with claude(server) as client:
        answer = client.messages.create(
            model=MODEL, max_tokens=50, messages=user(), system="be brief", extra_headers=headers
        )
        assert dump(answer.usage) == server.last()["usage"]
        assert answer.usage.input_tokens == 7
        assert answer.usage.cache_read_input_tokens == 30
        assert [block.type for block in answer.content] == ["thinking", "text"]
        with client.messages.stream(model=MODEL, max_tokens=6, messages=user(), extra_headers=headers) as stream:
            final = stream.get_final_message()
    assert dump(final.usage) == server.last()["usage"]
    assert final.stop_reason == "max_tokens"
    assert final.usage.output_tokens == 6
    assert server.last()["complete"]


def test_anthropic_tool(server: Server) -> None:
    tools: Any = [{"name": "fare", "input_schema": {"type": "object"}}]
    arguments = {"a": {"usage": 1}, "text": "x" * 30}
    headers = script(tool=True, tool_args=arguments)
    with claude(server) as client:
        whole = client.messages.create(model=MODEL, max_tokens=50, messages=user(), tools=tools, extra_headers=headers)
        with client.messages.stream(
            model=MODEL, max_tokens=50, messages=user(), tools=tools, extra_headers=headers
        ) as stream:
            streamed = stream.get_final_message()
    for answer in (whole, streamed):
        block: Any = answer.content[0]
        assert (block.name, block.input, answer.stop_reason) == ("fare", arguments, "tool_use")


def test_anthropic_error_event(server: Server) -> None:
    with claude(server) as client, pytest.raises(anthropic.APIStatusError, match="Overloaded"):
        list(
            client.messages.create(
                model=MODEL, max_tokens=9, messages=user(), stream=True, extra_headers=script(error_event_after=3)
            )
        )


def test_gemini(server: Server) -> None:
    with gemini(server, script(tokens=7, cached=3, reasoning=2, tool_prompt=4)) as client:
        answer: Any = client.models.generate_content(model=MODEL, contents=PROMPT)
        entry = server.last()
        assert answer.usage_metadata.model_dump(mode="json", by_alias=True, exclude_none=True) == entry["usage"]
        assert entry["usage"]["totalTokenCount"] == 5 + 4 + 2 + 7
        assert len(answer.text.split()) == 7
        limit = types.GenerateContentConfig(max_output_tokens=5)
        chunks: list[Any] = list(client.models.generate_content_stream(model=MODEL, contents=PROMPT, config=limit))
    usage = [chunk.usage_metadata.candidates_token_count for chunk in chunks]
    assert usage == [1, 2, 3]
    assert chunks[-1].usage_metadata.thoughts_token_count == 2
    assert chunks[-1].candidates[0].finish_reason == types.FinishReason.MAX_TOKENS
    assert server.last()["usage"]["candidatesTokenCount"] == 3
    assert server.last()["model"] == MODEL


def test_gemini_tool(server: Server) -> None:
    declared: Any = {"function_declarations": [{"name": "fare", "description": "d"}]}
    off = types.AutomaticFunctionCallingConfig(disable=True)
    config = types.GenerateContentConfig(tools=[declared], automatic_function_calling=off)
    with gemini(server, script(tool=True, tool_args={"a": 1})) as client:
        answer = client.models.generate_content(model=MODEL, contents=PROMPT, config=config)
        chunks = list(client.models.generate_content_stream(model=MODEL, contents=PROMPT, config=config))
    for calls in (answer.function_calls, chunks[-1].function_calls):
        assert [(call.name, call.args) for call in calls or []] == [("fare", {"a": 1})]


def test_ollama(server: Server) -> None:
    with closing(ollama.Client(host=server.url, headers=script(tokens=7, reasoning=2))) as client:
        whole = client.chat(model=MODEL, messages=user())
        chunks = list(client.chat(model=MODEL, messages=user(), stream=True, options={"num_predict": 4}))
        generated = client.generate(model=MODEL, prompt=PROMPT)
    first, second, third = server.journal()
    for answer, entry in ((whole, first), (chunks[-1], second), (generated, third)):
        assert {"prompt_eval_count": answer.prompt_eval_count, "eval_count": answer.eval_count} == entry["usage"]
    assert chunks[-1].done_reason == "length"
    assert whole.message.thinking == "toll gate"
    assert second["streamed"]
    assert len((generated.response or "").split()) == 5


def test_ollama_tool(server: Server) -> None:
    tools: Any = [FUNCTION]
    with closing(ollama.Client(host=server.url, headers=script(tool=True, tool_args={"a": 1}))) as client:
        whole = client.chat(model=MODEL, messages=user(), tools=tools)
        chunks = list(client.chat(model=MODEL, messages=user(), tools=tools, stream=True))
    for message in (whole.message, chunks[0].message):
        assert (message.tool_calls or [])[0].function.arguments == {"a": 1}


def test_mistral(server: Server) -> None:
    with mistral(server) as client:
        answer: Any = client.chat.complete(model=MODEL, messages=user(), http_headers=script(tokens=7))
        assert answer.usage.completion_tokens == server.last()["usage"]["completion_tokens"] == 7
        with client.chat.stream(model=MODEL, messages=user(), max_tokens=4, http_headers=HEADERS) as stream:
            chunks: list[Any] = [event.data for event in stream]
    assert chunks[-1].usage.total_tokens == server.last()["usage"]["total_tokens"]
    assert chunks[-1].choices[0].finish_reason == "length"
    assert not any(chunk.usage for chunk in chunks[:-1])


def test_mistral_tool(server: Server) -> None:
    tools: Any = [FUNCTION]
    with mistral(server) as client:
        answer: Any = client.chat.complete(
            model=MODEL, messages=user(), tools=tools, http_headers=script(tool=True, tool_args={"a": 1})
        )
    assert answer.choices[0].message.tool_calls[0].function.arguments == '{"a":1}'


def test_mistral_refuses_stream_options(server: Server) -> None:
    with openai_client(server, "/mistral/v1") as client, pytest.raises(openai.UnprocessableEntityError):
        client.chat.completions.create(
            model=MODEL, messages=user(), stream=True, stream_options={"include_usage": True}
        )
    assert server.last()["status"] == 422


def test_missing_model_in_each_shape(server: Server) -> None:
    gone = "does-not-exist"
    with openai_client(server) as client, pytest.raises(openai.NotFoundError) as refused:
        client.chat.completions.create(model=gone, messages=user())
    assert refused.value.code == "model_not_found"
    with claude(server) as other, pytest.raises(anthropic.NotFoundError):
        other.messages.create(model=gone, max_tokens=5, messages=user())
    with gemini(server, {}) as third, pytest.raises(genai.errors.ClientError) as missing:
        third.models.generate_content(model=gone, contents=PROMPT)
    assert (missing.value.code, missing.value.status) == (404, "NOT_FOUND")
    with closing(ollama.Client(host=server.url)) as fourth, pytest.raises(ollama.ResponseError) as unknown:
        fourth.chat(model=gone, messages=user())
    assert unknown.value.status_code == 404


def test_models(server: Server) -> None:
    with openai_client(server) as client, claude(server) as other:
        assert [model.id for model in client.models.list()] == [model.id for model in other.models.list()]


def test_script_in_the_prompt(server: Server) -> None:
    with openai_client(server) as client:
        messages = user('pay [[sandbox {"tokens": 3, "text": "a ]] b"}]] now')
        answer = client.chat.completions.create(model=MODEL, messages=messages)
    assert answer.choices[0].message.content == "a ]] b"
    assert server.last()["usage"]["completion_tokens"] == 3
