"""DeepSeek: chat completions with cache hits and misses in the usage, and reasoning that is shown."""

from typing import ClassVar

from tollgate_sandbox.answer import Answer
from tollgate_sandbox.errors import RefusedError
from tollgate_sandbox.formats.openai_chat import OpenAIChat
from tollgate_sandbox.jsons import Json


class DeepSeek(OpenAIChat):
    """POST /chat/completions."""

    name = "deepseek"
    measurable = False
    role_extras: ClassVar[Json] = {}

    def usage(self, answer: Answer) -> Json:
        base = super().usage(answer)
        return {
            "prompt_tokens": base["prompt_tokens"],
            "completion_tokens": base["completion_tokens"],
            "total_tokens": base["total_tokens"],
            "prompt_tokens_details": {"cached_tokens": answer.cached},
            "completion_tokens_details": {"reasoning_tokens": answer.reasoning * answer.choices},
            "prompt_cache_hit_tokens": answer.cached,
            "prompt_cache_miss_tokens": answer.prompt - answer.cached,
        }

    def whole_extras(self, answer: Answer) -> Json:
        return {"reasoning_content": answer.thinking} if answer.thoughts else {}

    def thought_deltas(self, answer: Answer) -> list[Json]:
        return [{"content": None, "reasoning_content": piece} for piece in answer.thoughts]

    def error(self, refusal: RefusedError) -> Json:
        body = super().error(refusal)
        if refusal.status == 401:
            body["error"] |= {"type": "authentication_error", "code": "invalid_request_error"}
        else:
            body["error"]["code"] = "invalid_request_error"
        return body
