"""Pure readings of OpenAI's wire: what was said, the results of batches, usage, and whose host it is."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from openai.types.chat import ChatCompletion, ChatCompletionMessage
from openai.types.responses import Response as SDKResponse

from otel_llm_cost.content import Message, assembled, texts
from otel_llm_cost.hosts import vendor
from otel_llm_cost.provider import Wire
from otel_llm_cost.providers import openai
from otel_llm_cost.record import NOTHING, Request, Response, Usage, fold

CHAT = Request(operation="chat", api_type="chat_completions")
RESPONSES = Request(operation="chat", api_type="responses")


def text(content: str) -> dict[str, Any]:
    """A text part."""
    return {"type": "text", "content": content}


# -- prompts


def test_a_chat_s_messages_with_parts_and_tools() -> None:
    tool_call = {"id": "c1", "type": "function", "function": {"name": "look", "arguments": '{"q":1}'}}
    custom = {"id": "c2", "type": "custom", "custom": {"name": "run", "input": "ls"}}
    body = {
        "messages": [
            {"role": "system", "content": "Be kind."},
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "What is this?"},
                    {"type": "image_url", "image_url": {"url": "https://x/1.png"}},
                    {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
                    {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}},
                    {"type": "file", "file": {"file_id": "f1"}},
                    {"type": "file", "file": {"file_data": "data:application/pdf;base64,AAAA", "filename": "a.pdf"}},
                ],
            },
            {"role": "assistant", "content": None, "reasoning_content": "hm", "tool_calls": [tool_call, custom]},
            {"role": "tool", "tool_call_id": "c1", "content": [{"type": "text", "text": "a "}, text_part("cat")]},
            {"role": "assistant", "content": [{"type": "refusal", "refusal": "I will not."}]},
        ]
    }
    prompt = openai.prompt(body)
    assert prompt.system == []
    assert prompt.messages == [
        {"role": "system", "parts": [text("Be kind.")]},
        {
            "role": "user",
            "parts": [
                text("What is this?"),
                {"type": "uri", "modality": "image", "uri": "https://x/1.png"},
                {"type": "blob", "modality": "image", "mime_type": "image/png"},
                {"type": "blob", "modality": "audio", "mime_type": "audio/wav"},
                {"type": "file", "modality": "document", "file_id": "f1"},
                {"type": "blob", "modality": "document", "mime_type": "application/pdf"},
            ],
        },
        {
            "role": "assistant",
            "parts": [
                {"type": "reasoning", "content": "hm"},
                {"type": "tool_call", "id": "c1", "name": "look", "arguments": '{"q":1}'},
                {"type": "tool_call", "id": "c2", "name": "run", "arguments": "ls"},
            ],
        },
        {"role": "tool", "parts": [{"type": "tool_call_response", "id": "c1", "response": "a cat"}]},
        {"role": "assistant", "parts": [text("I will not.")]},
    ]
    assert list(texts(prompt)) == ["Be kind.", "What is this?", "hm", "a cat", "I will not."]


def text_part(content: str) -> dict[str, str]:
    """A text part as OpenAI has it."""
    return {"type": "text", "text": content}


def test_an_sdk_s_own_message_among_the_messages() -> None:
    prompt = openai.prompt(
        {"messages": ({"role": "user", "content": "a"}, ChatCompletionMessage(role="assistant", content="b"))}
    )
    assert [(m["role"], m["parts"]) for m in prompt.messages] == [("user", [text("a")]), ("assistant", [text("b")])]


def test_a_response_s_items() -> None:
    body = {
        "instructions": "Be kind.",
        "prompt": {"id": "p1", "version": "2"},
        "input": [
            {"role": "developer", "content": "Short."},
            {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Where?"}]},
            {"type": "reasoning", "id": "r1", "summary": [{"type": "summary_text", "text": "hm"}]},
            {"type": "function_call", "call_id": "c1", "name": "look", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "c1", "output": "Oslo"},
            {"type": "function_call_output", "call_id": "c2", "output": [{"type": "input_text", "text": "Rome"}]},
            {"type": "input_image", "image_url": "https://x/1.png"},
            {"type": "item_reference", "id": "m1"},
        ],
    }
    prompt = openai.prompt(body)
    assert prompt.system == [text("Be kind.")]
    assert [(message["role"], message["parts"]) for message in prompt.messages] == [
        ("developer", [text("Short.")]),
        ("user", [text("Where?")]),
        ("assistant", [{"type": "reasoning", "content": "hm"}]),
        ("assistant", [{"type": "tool_call", "id": "c1", "name": "look", "arguments": "{}"}]),
        ("tool", [{"type": "tool_call_response", "id": "c1", "response": "Oslo"}]),
        ("tool", [{"type": "tool_call_response", "id": "c2", "response": "Rome"}]),
        ("user", [{"type": "uri", "modality": "image", "uri": "https://x/1.png"}]),
    ]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"prompt": "Once"}, ["Once"]),
        ({"prompt": ["Once", "Twice"]}, ["Once", "Twice"]),
        ({"input": "embed me"}, ["embed me"]),
        ({"input": ["one", "two"]}, ["one", "two"]),
        ({"input": [15, 27]}, []),
        ({"input": [[15, 27], [3]]}, []),
        ({"input": [{"type": "text", "text": "fine?"}, {"type": "image_url", "image_url": {"url": "u"}}]}, ["fine?"]),
        ({"input": "Where?", "prompt": {"id": "p1"}}, ["Where?"]),
        ({"prompt": {"id": "p1"}}, []),
        ({}, []),
    ],
)
def test_texts_that_are_completed_embedded_or_judged(body: dict[str, Any], said: list[str]) -> None:
    prompt = openai.prompt(body)
    assert list(texts(prompt)) == said
    assert {message["role"] for message in prompt.messages} <= {"user"}


@pytest.mark.parametrize("name", ["messages", "input", "prompt", "instructions"])
def test_an_iterator_is_left_alone(name: str) -> None:
    given: Iterator[dict[str, str]] = iter([{"role": "user", "content": "x"}])
    assert list(texts(openai.prompt({name: given}))) == []
    assert len(list(given)) == 1


ODD = [None, 3, "x", b"x", [], {}, [None, 3, "x", [], {}], {"type": 3}, {"role": 3, "content": 3}, object(), {"a": "b"}]


@pytest.mark.parametrize("odd", ODD, ids=range(len(ODD)))
def test_odd_input_is_read_without_a_fault(odd: Any) -> None:
    for name in ("messages", "input", "prompt", "instructions"):
        list(texts(openai.prompt({name: odd})))
        list(texts(openai.prompt({name: [odd]})))
        list(texts(openai.prompt({name: [{"role": "assistant", "content": odd, "tool_calls": odd, "type": odd}]})))
        list(texts(openai.prompt({name: [{"role": "tool", "content": odd}]})))
        list(texts(openai.prompt({name: [{"type": "function_call_output", "output": [odd]}]})))
    for body in (odd, *({key: value} for key in ("choices", "output", "text") for value in (odd, [odd]))):
        openai.answer(body)
        openai.said(body)
    for event in (odd, {"type": "response.output_text.delta", "delta": odd}, {"choices": [{"delta": odd}]}):
        openai.said(event)
        openai.chunk(event, RESPONSES)
    line = {"custom_id": odd, "response": odd, "error": None}
    for document in (odd, line, {**line, "response": {"status_code": odd, "body": odd}}, {**line, "error": odd}):
        openai.results(document, CHAT)


# -- answers, and their streams


def streamed(events: list[dict[str, Any]], finish_reason: str | None) -> list[Message]:
    """What a stream's events amount to."""
    return assembled([piece for event in events for piece in openai.said(event)], finish_reason)


def chat_chunk(**delta: Any) -> dict[str, Any]:
    """A chunk with one choice."""
    return {"object": "chat.completion.chunk", "choices": [{"index": 0, "delta": delta, "finish_reason": None}]}


def call_delta(index: int, arguments: str, **begin: str) -> dict[str, Any]:
    """A piece of a tool call."""
    function = {"arguments": arguments, **({"name": begin["name"]} if begin else {})}
    return chat_chunk(tool_calls=[{"index": index, "function": function, **({"id": begin["id"]} if begin else {})}])


def test_a_chat_s_answer_equals_its_stream() -> None:
    calls = [
        {"id": "c1", "type": "function", "function": {"name": "look", "arguments": '{"q":1}'}},
        {"id": "c2", "type": "function", "function": {"name": "find", "arguments": "{}"}},
    ]
    message = {"role": "assistant", "content": "Let me see.", "reasoning_content": "hm hm", "tool_calls": calls}
    whole = {"choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}]}
    events = [
        chat_chunk(role="assistant", content=""),
        chat_chunk(reasoning_content="hm "),
        chat_chunk(reasoning_content="hm"),
        chat_chunk(content="Let me "),
        chat_chunk(content="see."),
        call_delta(0, "", id="c1", name="look"),
        call_delta(0, '{"q"'),
        call_delta(0, ":1}"),
        call_delta(1, "{}", id="c2", name="find"),
        {"choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 1}},
    ]
    assert openai.answer(whole) == streamed(events, "tool_calls")
    assert openai.answer(whole) == [
        {
            "role": "assistant",
            "finish_reason": "tool_calls",
            "parts": [
                {"type": "reasoning", "content": "hm hm"},
                text("Let me see."),
                {"type": "tool_call", "id": "c1", "name": "look", "arguments": '{"q":1}'},
                {"type": "tool_call", "id": "c2", "name": "find", "arguments": "{}"},
            ],
        }
    ]
    sdk = ChatCompletion.model_validate({"id": "1", "object": "chat.completion", "created": 1, "model": "m", **whole})
    assert openai.answer(sdk) == openai.answer(whole)


def test_each_choice_is_a_message_with_its_own_end() -> None:
    choices = [
        {"index": 0, "message": {"role": "assistant", "content": "a"}, "finish_reason": "stop"},
        {"index": 1, "message": {"role": "assistant", "content": None, "refusal": "no"}, "finish_reason": "length"},
        {"index": 2, "text": "completed", "finish_reason": "stop"},
    ]
    said = [(m["finish_reason"], [p["content"] for p in m["parts"]]) for m in openai.answer({"choices": choices})]
    assert said == [("stop", ["a"]), ("length", ["no"]), ("stop", ["completed"])]


REASONING = {"id": "r1", "type": "reasoning", "summary": [{"type": "summary_text", "text": "hm"}]}
SEARCH = {"id": "ws1", "type": "web_search_call", "status": "completed", "action": {"type": "search", "query": "oslo"}}
CALL = {"id": "fc1", "type": "function_call", "call_id": "c1", "name": "look", "arguments": '{"q":1}'}
ANSWER = {"id": "m1", "type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Oslo."}]}


def test_a_response_s_output_equals_its_stream() -> None:
    output = [REASONING, SEARCH, CALL, ANSWER]
    whole: dict[str, Any] = {"object": "response", "status": "completed", "output": output}
    begun = [
        {**REASONING, "summary": []},
        {**SEARCH, "action": {"type": "search"}},
        {**CALL, "arguments": ""},
        {**ANSWER, "content": []},
    ]
    deltas = [
        [{"type": "response.reasoning_summary_text.delta", "delta": "h"}],
        [],
        [{"type": "response.function_call_arguments.delta", "delta": piece} for piece in ('{"q"', ":1}")],
        [{"type": "response.output_text.delta", "delta": piece} for piece in ("Os", "lo.")],
    ]
    deltas[0].append({"type": "response.reasoning_summary_text.delta", "delta": "m"})
    events: list[dict[str, Any]] = [{"type": "response.created", "response": {**whole, "output": []}}]
    for index, (first, pieces, last) in enumerate(zip(begun, deltas, output, strict=True)):
        events.append({"type": "response.output_item.added", "output_index": index, "item": first})
        events.extend({**piece, "output_index": index} for piece in pieces)
        events.append({"type": "response.output_item.done", "output_index": index, "item": last})
    events.append({"type": "response.completed", "response": whole})
    assert openai.answer(whole) == streamed(events, "stop")
    assert [message["parts"] for message in openai.answer(whole)] == [
        [{"type": "reasoning", "content": "hm"}],
        [{"type": "tool_call", "id": "ws1", "name": "web_search", "arguments": "oslo"}],
        [{"type": "tool_call", "id": "c1", "name": "look", "arguments": '{"q":1}'}],
        [text("Oslo.")],
    ]
    assert openai.answer(SDKResponse.model_construct(**whole)) == openai.answer(whole)


def test_a_transcript_equals_its_stream() -> None:
    events = [{"type": "transcript.text.delta", "delta": piece} for piece in ("hello", " there")]
    events.append({"type": "transcript.text.done", "text": "hello there"})
    assert openai.answer({"text": "hello there", "usage": {}}) == streamed(events, "stop")


# -- usage


USAGE = {"input_tokens": 10, "output_tokens": 5, "input_tokens_details": {"cached_tokens": 4}, "total_tokens": 15}


def test_a_cache_write_by_its_time_to_live() -> None:
    details = {"cache_write_tokens": 7, "cache_write_tokens_details": {"ttl_30m_tokens": 0, "ttl_12h_tokens": 7}}
    usage = openai.response({"usage": {**USAGE, "input_tokens_details": details}}, RESPONSES).usage
    assert usage == Usage(input_tokens=10, output_tokens=5, cache_write_input_tokens=7, cache_write_12h_input_tokens=7)


@pytest.mark.parametrize(
    ("counted", "searches"),
    [(None, 2), ({"web_search": {"num_requests": 1}}, 1), ({"web_search": {"num_requests": 0}}, 0)],
)
def test_searches_are_those_that_are_billed(counted: dict[str, Any] | None, searches: int) -> None:
    page = {"type": "web_search_call", "action": {"type": "open_page", "url": "u"}}
    files = {"type": "file_search_call", "queries": ["q"]}
    body = {"usage": USAGE, "output": [SEARCH, SEARCH, page, files], **({"tool_usage": counted} if counted else {})}
    usage = openai.response(body, RESPONSES).usage
    assert usage is not None
    assert (usage.web_search_requests, usage.file_search_requests) == (searches, 1)


@pytest.mark.parametrize(
    ("body", "billed"),
    [
        ({"status": "completed", "background": True}, True),
        ({"status": "incomplete", "background": True}, True),
        ({"status": "failed", "background": True}, True),
        ({"status": "in_progress", "background": True}, False),
        ({"status": "completed", "background": False}, False),
        ({"status": "completed", "background": None}, False),
        ({"status": "completed"}, False),
    ],
)
def test_a_stored_response_tells_its_usage_if_nobody_has_yet(body: dict[str, Any], billed: bool) -> None:
    request = Request(operation="fetch_response", api_type="responses")
    assert (openai.response({**body, "usage": USAGE}, request).usage is not None) is billed


@pytest.mark.parametrize(
    ("api_type", "last"),
    [
        ("images", {"type": "image_generation.completed", "usage": USAGE}),
        ("images", {"type": "image_edit.completed"}),
        ("transcriptions", {"type": "transcript.text.done"}),
        ("speech", {"type": "speech.audio.done", "usage": USAGE}),
    ],
)
def test_the_end_of_a_media_stream_is_never_dull(api_type: str, last: dict[str, Any]) -> None:
    request = Request(operation="x", api_type=api_type)
    data = b"data: " + json.dumps(last, separators=(",", ":")).encode()
    assert not openai.dull(data, request)
    assert openai.dull(b'data: {"type":"x.delta","b64_json":"AAAA"}', request)
    assert openai.chunk(last, request).finish_reasons == ((0, "stop"),)
    assert fold(NOTHING, openai.chunk({"type": "x.delta", "delta": "y"}, request)) == Response()


# -- batches


def wire(method: str, path: str, host: str = "api.openai.com", port: int | None = None) -> Wire:
    """A request without a body."""
    return Wire(method=method, path=path, body={}, host=host, port=port, client="OpenAI SyncAPIClient")


FILE = openai.download(wire("GET", "/files/file-1/content"))


def line(body: dict[str, Any] | None, status: int = 200, error: dict[str, Any] | None = None) -> dict[str, Any]:
    """One line of a result file."""
    answered = None if body is None else {"status_code": status, "request_id": "req-9", "body": body}
    return {"id": "batch_req_1", "custom_id": "mine", "response": answered, "error": error}


COMPLETION = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1700000000,
    "model": "gpt-4o-2024-08-06",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "x"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15},
}


@pytest.mark.parametrize(
    ("method", "path", "known"),
    [
        ("GET", "/files/file-1/content", True),
        ("GET", "/openai/v1/files/file-1/content", True),
        ("GET", "/files/file-1", False),
        ("GET", "/containers/c1/files/f1/content", False),
        ("POST", "/files/file-1/content", False),
        ("GET", "/videos/v1/content", False),
    ],
)
def test_only_the_content_of_a_file_may_hold_results(method: str, path: str, known: bool) -> None:
    found = openai.download(wire(method, path))
    assert (found is not None) is known
    assert found is None or (found.batch, found.provider) == (True, "openai")
    assert openai.request(wire(method, path)) is None


@pytest.mark.parametrize(
    ("body", "operation", "api_type", "made_at", "tokens"),
    [
        (COMPLETION, "chat", "chat_completions", 1700000000, (10, 5)),
        (
            {"id": "resp_1", "object": "response", "created_at": 1700000001.5, "status": "completed", "usage": USAGE},
            "chat",
            "responses",
            1700000001.5,
            (10, 5),
        ),
        (
            {"object": "list", "data": [], "model": "text-embedding-3-small", "usage": {"prompt_tokens": 8}},
            "embeddings",
            "embeddings",
            None,
            (8, None),
        ),
        (
            {"id": "cmpl-1", "object": "text_completion", "created": 1, "usage": COMPLETION["usage"], "choices": []},
            "text_completion",
            "completions",
            1,
            (10, 5),
        ),
        (
            {"created": 1, "data": [{"b64_json": "AAAA"}], "usage": USAGE},
            "image_generation",
            "images",
            1,
            (10, 5),
        ),
        ({"id": "modr-1", "model": "m", "results": []}, "moderation", "moderations", None, None),
    ],
)
def test_a_line_is_a_call(
    body: dict[str, Any], operation: str, api_type: str, made_at: float | None, tokens: tuple[int, int | None] | None
) -> None:
    assert FILE is not None
    (result,) = openai.results(line(body), FILE)
    request, response = result.request, result.response
    assert (request.operation, request.api_type, request.batch) == (operation, api_type, True)
    assert (request.provider, request.server_address) == ("openai", "api.openai.com")
    assert (request.model, response.model) == (body.get("model"), body.get("model"))
    assert (response.id, response.request_id) == (body.get("id", "batch_req_1"), "req-9")
    assert result.made_at == made_at
    assert response.error is None
    assert (response.usage and (response.usage.input_tokens, response.usage.output_tokens)) == tokens


@pytest.mark.parametrize(
    ("failed", "kind", "error_class", "status"),
    [
        (
            line({"error": {"code": "invalid_value", "type": "x", "message": "no"}}, 400),
            "invalid_value",
            "bad_request",
            400,
        ),
        (line({"error": {"code": "429", "message": "no"}}, 429), "429", "rate_limit", 429),
        (line({}, 500), "500", "server", 500),
        (line(None, error={"code": "batch_expired", "message": "no"}), "batch_expired", "unknown", None),
        (line({**COMPLETION}, 500), "500", "server", 500),
    ],
)
def test_a_line_that_failed_bills_nothing(
    failed: dict[str, Any], kind: str, error_class: str, status: int | None
) -> None:
    assert FILE is not None
    (result,) = openai.results(failed, FILE)
    assert result.response.usage is None
    assert result.response.error == (kind, error_class, status)


@pytest.mark.parametrize(
    "other",
    [
        {"custom_id": "1", "method": "POST", "url": "/v1/chat/completions", "body": {"model": "gpt-4o"}},
        {"messages": [{"role": "user", "content": "x"}]},
        {"prompt": "x", "completion": "y"},
        {"response": {"status_code": 200, "body": COMPLETION}},
        {"custom_id": "1", "response": {"body": {"pages": []}}, "error": None},
        {"custom_id": "1", "response": "yes"},
        COMPLETION,
        "custom_id response",
        ["custom_id", "response"],
        None,
    ],
    ids=str,
)
def test_a_line_of_another_file_is_no_call(other: Any) -> None:
    assert FILE is not None
    assert openai.results(other, FILE) == []


# -- hosts


@pytest.mark.parametrize(
    ("host", "port", "name"),
    [
        ("api.openai.com", None, "openai"),
        ("US.api.openai.com", None, "openai"),
        ("corp.openai.azure.com", None, "azure.ai.openai"),
        ("us-central1-aiplatform.googleapis.com", None, "gcp.vertex_ai"),
        ("aiplatform.googleapis.com", None, "gcp.vertex_ai"),
        ("aiplatform.eu.rep.googleapis.com", None, "gcp.vertex_ai"),
        ("notaiplatform.googleapis.com", None, "notaiplatform.googleapis.com"),
        ("generativelanguage.googleapis.com", None, "gcp.gemini"),
        ("bedrock-runtime.us-east-1.amazonaws.com", None, "aws.bedrock"),
        ("bedrock-mantle.us-east-1.api.aws", None, "aws.bedrock"),
        ("vpce-1.bedrock-runtime.eu-west-1.vpce.amazonaws.com", None, "aws.bedrock"),
        ("mine-123.eu-west-1.elb.amazonaws.com", None, "mine-123.eu-west-1.elb.amazonaws.com"),
        ("us-south.ml.cloud.ibm.com", None, "ibm.watsonx.ai"),
        ("integrate.api.nvidia.com", None, "nvidia"),
        ("ark.cn-beijing.volces.com", None, "volcengine"),
        ("adb-1.2.azuredatabricks.net", None, "databricks"),
        ("codestral.mistral.ai", None, "mistral_ai"),
        ("localhost", 11434, "ollama"),
        ("::1", 11434, "ollama"),
        ("192.168.1.7", 11434, "ollama"),
        ("host.docker.internal", 1234, "lmstudio"),
        ("ollama", None, "ollama"),
        ("vllm", 8000, "vllm"),
        ("localhost", 8000, "localhost"),
        ("llm.example", 11434, "llm.example"),
        ("api.openai.com.example", None, "api.openai.com.example"),
        ("evilapi.openai.com", None, "evilapi.openai.com"),
        ("", None, ""),
    ],
)
def test_a_host_is_named_for_its_vendor(host: str, port: int | None, name: str) -> None:
    assert vendor(host, port) == name
