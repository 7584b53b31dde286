"""The emulator as the real SDK sees it, with no instrumentation."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import urllib.request
from contextlib import closing
from http.client import HTTPConnection
from typing import TYPE_CHECKING, Any

import openai
import pytest
from anthropic import Anthropic
from openai import AsyncOpenAI, OpenAI
from pydantic import BaseModel

from otel_llm_cost_exporter.demo import prose
from otel_llm_cost_exporter.demo.emulator import Emulator
from otel_llm_cost_exporter.demo.ledger import read_entry
from otel_llm_cost_exporter.demo.openai import answer
from otel_llm_cost_exporter.demo.reply import Ask
from otel_llm_cost_exporter.demo.scripts import SCRIPTS

if TYPE_CHECKING:
    from pathlib import Path

    from openai.types.chat import ChatCompletion, ChatCompletionMessageParam

ASK: list[ChatCompletionMessageParam] = [{"role": "user", "content": "Where is my order?"}]


def chat(client: OpenAI, model: str = "gpt-4o-mini", **more: Any) -> ChatCompletion:
    answer: ChatCompletion = client.chat.completions.create(model=model, messages=ASK, **more)
    return answer


class Ticket(BaseModel):
    title: str
    urgent: bool
    steps: list[str]


def test_a_whole_answer_has_a_snapshot_a_tier_and_inclusive_usage(client: OpenAI, emulator: Emulator) -> None:
    answer = chat(client)
    assert answer.model == "gpt-4o-mini-2024-07-18"
    assert answer.service_tier == "default"
    assert answer.system_fingerprint
    assert answer._request_id
    assert answer.usage is not None
    assert answer.usage.prompt_tokens == 3 + 4 + prose.tokens("Where is my order?")
    assert answer.usage.completion_tokens == prose.tokens(answer.choices[0].message.content or "")
    entry = emulator.ledger[0]
    assert (entry.model, entry.operation, entry.stream, entry.status) == ("gpt-4o-mini", "chat", False, 200)
    assert entry.response_id == answer.id
    assert entry.usage is not None
    assert entry.usage.input_tokens == answer.usage.prompt_tokens


def test_equal_requests_cost_the_same_and_have_ids_of_their_own(client: OpenAI) -> None:
    first, second = chat(client), chat(client)
    assert first.usage == second.usage
    assert first.id != second.id


def test_a_long_system_text_is_cached_in_steps_of_128_and_reasoning_is_part_of_the_output(client: OpenAI) -> None:
    system: ChatCompletionMessageParam = {"role": "system", "content": "word " * 1200}
    usage = client.chat.completions.create(model="o4-mini", messages=[system, *ASK], reasoning_effort="low").usage
    assert usage is not None
    assert usage.prompt_tokens_details is not None
    assert usage.prompt_tokens_details.cached_tokens == 1152
    assert usage.completion_tokens_details is not None
    assert usage.completion_tokens_details.reasoning_tokens == 64
    assert usage.completion_tokens > 64


def test_a_stream_without_the_option_never_mentions_usage(client: OpenAI, emulator: Emulator) -> None:
    chunks = list(client.chat.completions.create(model="gpt-4o", messages=ASK, stream=True))
    assert all("usage" not in chunk.model_fields_set for chunk in chunks)
    assert all(chunk.choices for chunk in chunks)
    assert emulator.ledger[0].usage is None


def test_a_stream_with_the_option_says_usage_null_and_then_once_more_without_choices(client: OpenAI) -> None:
    chunks = list(
        client.chat.completions.create(
            model="gpt-4o", messages=ASK, stream=True, n=2, stream_options={"include_usage": True}
        )
    )
    *spoken, last = chunks
    assert all(chunk.usage is None and "usage" in chunk.model_fields_set for chunk in spoken)
    assert last.choices == []
    whole = chat(client, "gpt-4o", n=2)
    assert last.usage == whole.usage
    for n in (0, 1):
        texts = [c.choices[0].delta.content or "" for c in spoken if c.choices[0].index == n]
        assert "".join(texts) == whole.choices[n].message.content


def test_structured_answers_and_demanded_tool_calls_fit_their_schemas(client: OpenAI) -> None:
    parsed = client.chat.completions.parse(model="gpt-4o-mini", messages=ASK, response_format=Ticket)
    assert isinstance(parsed.choices[0].message.parsed, Ticket)
    assert isinstance(client.responses.parse(model="gpt-5", input="go", text_format=Ticket).output_parsed, Ticket)
    tool = {"type": "function", "function": {"name": "open_ticket", "parameters": Ticket.model_json_schema()}}
    choice = chat(client, tools=[tool], tool_choice="required").choices[0]
    assert choice.finish_reason == "tool_calls"
    call = (choice.message.tool_calls or [])[0]
    assert call.type == "function"
    assert Ticket.model_validate_json(call.function.arguments)


def test_an_answer_is_cut_at_the_limit(client: OpenAI) -> None:
    answer = chat(client, max_completion_tokens=5)
    assert answer.choices[0].finish_reason == "length"
    assert answer.usage is not None
    assert answer.usage.completion_tokens == 5
    short = client.responses.create(model="gpt-4o", input="Tell me all", max_output_tokens=4)
    assert short.status == "incomplete"


def test_responses_whole_streamed_and_fetched_agree(client: OpenAI, emulator: Emulator) -> None:
    whole = client.responses.create(model="o4-mini", input="Why?", reasoning={"effort": "high"})
    assert whole.usage is not None
    assert whole.usage.output_tokens_details.reasoning_tokens == 512
    events = list(client.responses.create(model="o4-mini", input="Why?", reasoning={"effort": "high"}, stream=True))
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert events[0].type == "response.created"
    last = events[-1]
    assert last.type == "response.completed"
    assert last.response.usage == whole.usage
    assert last.response.output_text == whole.output_text
    assert "".join(e.delta for e in events if e.type == "response.output_text.delta") == whole.output_text
    fetched = client.responses.retrieve(whole.id)
    assert fetched.output_text == whole.output_text
    assert [entry.operation for entry in emulator.ledger] == ["chat", "chat", "fetch_response"]
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve("resp_nowhere")


def test_embeddings_in_both_encodings_are_the_same_vectors(client: OpenAI) -> None:
    texts = ["a late delivery", "an invoice"]
    default = client.embeddings.create(model="text-embedding-3-small", input=texts)
    floats = client.embeddings.create(
        model="text-embedding-3-small", input=texts, encoding_format="float", dimensions=1536
    )
    assert len(default.data[0].embedding) == 1536
    assert default.data[1].embedding == pytest.approx(floats.data[1].embedding, abs=1e-6)
    assert default.usage.prompt_tokens == 5


@pytest.mark.parametrize(("script", "refused"), [("rate-limit", 429), ("server-error", 500)])
def test_a_refused_first_try_is_served_when_tried_again(
    client: OpenAI, emulator: Emulator, script: str, refused: int
) -> None:
    assert chat(client, f"gpt-4o-mini@{script}").model == "gpt-4o-mini-2024-07-18"
    tries = [(entry.attempt, entry.status, entry.usage is None) for entry in emulator.ledger]
    assert tries == [(0, refused, True), (1, 200, False)]


@pytest.mark.parametrize(
    ("script", "error", "code"),
    [
        ("auth", openai.AuthenticationError, "invalid_api_key"),
        ("not-found", openai.NotFoundError, "model_not_found"),
        ("bad-request", openai.BadRequestError, "context_length_exceeded"),
        ("quota", openai.RateLimitError, "insufficient_quota"),
        ("overloaded", openai.InternalServerError, "overloaded"),
        ("no-such-script", openai.BadRequestError, "unknown_script"),
    ],
)
def test_what_is_refused_for_good_carries_its_code(
    client: OpenAI, script: str, error: type[openai.APIStatusError], code: str
) -> None:
    with pytest.raises(error) as caught:
        chat(client, extra_headers={"x-emulator-script": script})
    assert caught.value.code == code


def test_what_openai_refuses_is_refused(client: OpenAI) -> None:
    with pytest.raises(openai.NotFoundError, match="gpt-4o-minii"):
        chat(client, "gpt-4o-minii")
    with pytest.raises(openai.BadRequestError, match="stream_options"):
        chat(client, stream_options={"include_usage": True})
    with pytest.raises(openai.BadRequestError, match="messages"):
        client.chat.completions.create(model="gpt-4o", messages=[])
    assert chat(client, "acme-llm-1").model == "acme-llm-1"


def test_a_host_that_does_not_know_stream_options(client: OpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match="Unrecognized request argument supplied: stream_options"):
        chat(client, "gpt-4o@no-stream-options", stream=True, stream_options={"include_usage": True})
    assert list(client.chat.completions.create(model="gpt-4o@no-stream-options", messages=ASK, stream=True))


def test_a_stream_can_fail_in_its_middle(client: OpenAI, emulator: Emulator) -> None:
    stream = client.chat.completions.create(model="gpt-4o@error-event", messages=ASK, stream=True)
    assert next(stream).choices
    with pytest.raises(openai.APIError, match="server had an error"):
        list(stream)
    events = list(client.responses.create(model="gpt-4o@error-event", input="Why?", stream=True))
    assert events[-1].type == "response.failed"
    assert [entry.usage for entry in emulator.ledger] == [None, None]


def test_a_connection_can_break_in_mid_stream(client: OpenAI, emulator: Emulator) -> None:
    stream = client.chat.completions.create(
        model="gpt-4o@cut", messages=ASK, stream=True, stream_options={"include_usage": True}
    )
    with pytest.raises(openai.APIConnectionError):
        list(stream)
    assert emulator.ledger[0].outcome == "cut"


def test_a_body_can_be_no_json(client: OpenAI) -> None:
    with pytest.raises((openai.APIError, ValueError)):
        chat(client.with_options(max_retries=0), "gpt-4o@malformed")


def test_a_hanging_provider_runs_into_the_callers_timeout_and_stops_with_the_emulator(client: OpenAI) -> None:
    with pytest.raises(openai.APITimeoutError):
        chat(client.with_options(max_retries=0), "gpt-4o@hang", timeout=0.1)


async def test_many_calls_at_once_are_all_in_the_ledger() -> None:
    with Emulator(scripts={"gpt-4.1-nano": "rate-limit", "gpt-4.1": "slow"}) as emulator:
        async with AsyncOpenAI(base_url=emulator.base_url, api_key="any") as client:
            models = ["gpt-4o", "gpt-4.1-nano", "gpt-4.1"] * 6
            calls = [client.chat.completions.create(model=model, messages=ASK) for model in models]
            answers = await asyncio.gather(*calls)
        served = {entry.response_id for entry in emulator.ledger if entry.usage}
        assert served == {answer.id for answer in answers}
        assert len(emulator.ledger) == 18 + 6


def test_a_batch_is_run_and_its_lines_are_in_the_ledger(client: OpenAI, emulator: Emulator) -> None:
    lines = [
        {"custom_id": model, "method": "POST", "url": "/v1/chat/completions", "body": {"model": model, "messages": ASK}}
        for model in ("gpt-4o-mini", "gpt-nowhere")
    ]
    file = client.files.create(file=("a.jsonl", "\n".join(map(json.dumps, lines)).encode()), purpose="batch")
    begun = client.batches.create(input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="24h")
    assert begun.status == "validating"
    done = client.batches.retrieve(begun.id)
    assert done.status == "completed"
    assert done.request_counts is not None
    assert (done.request_counts.completed, done.request_counts.failed) == (1, 1)
    assert done.output_file_id is not None
    (result,) = map(json.loads, client.files.content(done.output_file_id).text.splitlines())
    assert result["custom_id"] == "gpt-4o-mini"
    (entry,) = (entry for entry in emulator.ledger if entry.operation)
    assert (entry.batch, entry.model) == (True, "gpt-4o-mini-2024-07-18")
    assert entry.response_id == result["response"]["body"]["id"]
    assert entry.usage is not None
    assert entry.usage.output_tokens == result["response"]["body"]["usage"]["completion_tokens"]
    with pytest.raises(openai.BadRequestError, match="input_file_id"):
        client.batches.create(input_file_id="file-0", endpoint="/v1/chat/completions", completion_window="24h")


def test_each_provider_has_a_port_and_all_write_in_one_ledger(emulator: Emulator) -> None:
    assert list(emulator.origins) == ["openai", "anthropic", "gcp.gemini"]
    assert len(set(emulator.origins.values())) == 3
    with Anthropic(base_url=emulator.origins["anthropic"], api_key="any") as claude:
        claude.messages.create(model="claude-haiku-4-5", max_tokens=9, messages=[{"role": "user", "content": "Hi"}])
    with OpenAI(base_url=emulator.base_url, api_key="any") as client:
        chat(client)
    assert [entry.vendor for entry in emulator.ledger] == ["anthropic", "openai"]


def test_the_ledger_can_be_read_over_http(client: OpenAI, emulator: Emulator) -> None:
    chat(client, "gpt-4o-mini@rate-limit")
    with urllib.request.urlopen(f"http://127.0.0.1:{emulator.port}/ledger") as answer:
        calls = json.load(answer)["calls"]
    assert tuple(read_entry(call) for call in calls) == emulator.ledger


def test_without_a_key_nothing_is_served(emulator: Emulator) -> None:
    with closing(HTTPConnection("127.0.0.1", emulator.port)) as connection:
        connection.request("POST", "/v1/chat/completions", b"{}")
        assert connection.getresponse().status == 401


def test_the_core_answers_without_a_server() -> None:
    ask = Ask(path="/v1/chat/completions", body={"model": "gpt-4o", "messages": ASK})
    assert answer(ask) == answer(ask)
    assert answer(ask).status == 200
    assert answer(Ask(path="/v1/nowhere", body={})).status == 404
    assert "rate-limit" in SCRIPTS


def test_as_a_program_it_says_when_it_is_ready_and_ends_on_sigterm(tmp_path: Path) -> None:
    ready = tmp_path / "ready.json"
    module = "otel_llm_cost_exporter.demo.emulator"
    arguments = ["--ready-file", str(ready), "--script", "gpt-4o=auth"]
    with subprocess.Popen([sys.executable, "-W", "error", "-m", module, *arguments], stderr=subprocess.PIPE) as process:
        while not ready.exists():
            assert process.poll() is None
        base_url = json.loads(ready.read_text())["base_url"]
        with OpenAI(base_url=base_url, api_key="any") as client, pytest.raises(openai.AuthenticationError):
            chat(client, "gpt-4o")
        process.terminate()
        assert process.communicate(timeout=10)[1] == b""
    assert process.returncode == 0


def test_a_caller_who_hangs_up_is_noted() -> None:
    with Emulator() as emulator, OpenAI(base_url=emulator.base_url, api_key="any") as client:
        stream = client.chat.completions.create(model="gpt-4o@slow", messages=ASK, stream=True)
        next(stream)
        stream.close()
    assert [entry.outcome for entry in emulator.ledger] == ["abandoned"]
