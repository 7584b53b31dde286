"""Every door of OpenAI's SDK: the program sees what the bare SDK gives, one span says what was used, if anything."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import openai
import pytest

from otel_llm_cost.instrumentor import OpenAIInstrumentor

from .conftest import Seen
from .openai_doors_wire import DOORS, DOWNLOADS, SOUND, TRANSCRIPT_EVENTS, Door, DoorWire, see_async, see_sync
from .wire import CHAT, RESPONSE, Json, error

pytestmark = pytest.mark.filterwarnings("ignore:deprecated:DeprecationWarning")

Run = Callable[[Door, DoorWire, Path], Awaitable[list[Any]]]


async def run_sync(door: Door, wire: DoorWire, folder: Path) -> list[Any]:
    """A synchronous program."""
    with wire.client() as client:
        return see_sync(door, door.call(client), folder)


async def run_async(door: Door, wire: DoorWire, folder: Path) -> list[Any]:
    """An asynchronous program."""
    async with wire.async_client() as client:
        return await see_async(door, door.call(client), folder)


@pytest.fixture(params=[run_sync, run_async], ids=["sync", "async"])
def run(request: pytest.FixtureRequest) -> Run:
    """Both kinds of program."""
    runner: Run = request.param
    return runner


def each(doors: list[Door]) -> pytest.MarkDecorator:
    """One test per door."""
    return pytest.mark.parametrize("door", doors, ids=lambda door: door.name)


def usage(attributes: dict[str, Any]) -> dict[str, Any]:
    """What a span says of usage."""
    return {name: value for name, value in attributes.items() if ".usage." in name}


@each(DOORS)
async def test_the_program_and_the_host_see_what_they_would_see_without_us(
    door: Door, run: Run, seen: Seen, tmp_path: Path
) -> None:
    observed_wire, bare_wire = DoorWire(door.body), DoorWire(door.body)
    observed = await run(door, observed_wire, tmp_path)
    assert len(seen.spans) == 1
    OpenAIInstrumentor().uninstrument()
    assert observed == await run(door, bare_wire, tmp_path)
    assert observed_wire.requests == bare_wire.requests


@each(DOORS)
async def test_the_span_says_what_was_used(door: Door, run: Run, seen: Seen, tmp_path: Path) -> None:
    await run(door, DoorWire(door.body), tmp_path)
    assert seen.span.name == door.span
    assert usage(seen.attributes) == door.usage
    assert seen.attributes | door.says == seen.attributes
    assert seen.attributes["gen_ai.provider.name"] == "openai"
    assert seen.span.status.is_ok or not seen.span.status.description


@each(DOORS)
async def test_a_refusal_is_the_sdks_own_error(door: Door, run: Run, seen: Seen, tmp_path: Path) -> None:
    with pytest.raises(openai.RateLimitError):
        await run(door, DoorWire(error(429, "rate_limit_exceeded").body, 429), tmp_path)
    assert seen.attributes["llm_cost.error.class"] == "rate_limit"
    assert usage(seen.attributes) == {}


@each([door for door in DOORS if isinstance(door.body, list) and door.read == "stream"])
async def test_a_stream_that_fails_says_so(door: Door, run: Run, seen: Seen, tmp_path: Path) -> None:
    assert isinstance(door.body, list)
    events = [door.body[0], {"type": "error", "error": {"type": "server_error", "code": None, "message": "no"}}]
    with pytest.raises(openai.APIError):
        await run(door, DoorWire(events), tmp_path)
    assert (seen.attributes["llm_cost.stream.outcome"], seen.attributes["error.type"]) == ("broken", "server_error")


@pytest.mark.parametrize("events", [TRANSCRIPT_EVENTS[:2]])
def test_a_stream_without_its_last_event_was_broken(events: list[Json | str], seen: Seen) -> None:
    with DoorWire(events).client() as client:
        list(client.audio.transcriptions.create(model="gpt-4o-transcribe", file=b"x", stream=True))
    assert seen.attributes["llm_cost.stream.outcome"] == "broken"


def test_azure_s_deployment_is_the_model_where_the_body_says_none(seen: Seen) -> None:
    client = DoorWire(CHAT).client(base_url="https://x.openai.azure.com/openai")
    client.post("/deployments/my%20gpt/chat/completions", cast_to=object, body={"messages": []})
    client.post("/deployments/d/chat/completions", cast_to=object, body={"messages": [], "model": "gpt-4o"})
    client.post("https://x.openai.azure.com/openai/v1/responses", cast_to=object, body={"input": "x"})
    assert [span.name for span in seen.spans] == ["chat my gpt", "chat gpt-4o", "chat"]
    assert {(span.attributes or {})["gen_ai.provider.name"] for span in seen.spans} == {"azure.ai.openai"}


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("post", "/batches"),
        ("post", "/files"),
        ("get", "/files/f-1/content"),
        ("get", "/responses/resp_1/input_items"),
        ("get", "/chat/completions/chatcmpl-1"),
        ("delete", "/responses/resp_1"),
        ("post", "/vector_stores/vs_1/search"),
    ],
)
def test_what_bills_no_tokens_has_no_span(method: str, path: str, seen: Seen) -> None:
    client = DoorWire(RESPONSE).client()
    getattr(client, method)(path, cast_to=object)
    assert seen.spans == []


@pytest.mark.filterwarnings("ignore:The `.content:DeprecationWarning")
@each(DOWNLOADS)
async def test_the_results_of_a_batch_are_its_calls(door: Door, run: Run, seen: Seen, tmp_path: Path) -> None:
    observed = await run(door, DoorWire(door.body), tmp_path)
    spans = [(span.name, dict(span.attributes or {}), span) for span in seen.collected.wait(4)]
    OpenAIInstrumentor().uninstrument()
    assert observed == await run(door, DoorWire(door.body), tmp_path)
    assert [name for name, _, _ in spans] == [
        "chat gpt-4o-2024-08-06",
        "chat gpt-5-2025-08-07",
        "embeddings text-embedding-3-small",
        "batch",
    ]
    assert {(a["llm_cost.batch"], a["gen_ai.provider.name"]) for _, a, _ in spans} == {(True, "openai")}
    assert [usage(a).get("gen_ai.usage.input_tokens") for _, a, _ in spans] == [120, 120, 8, None]
    assert [a["gen_ai.response.id"] for _, a, _ in spans[:3]] == ["chatcmpl-1", "resp_1", "batch_req_2"]
    assert [span.start_time // 10**9 for _, _, span in spans[:2] if span.start_time] == [1_700_000_000, 1_700_000_001]
    assert (spans[3][1]["error.type"], spans[3][1]["http.response.status_code"]) == ("invalid_value", 400)


@pytest.mark.parametrize(
    "content", [SOUND, b'{"messages": []}\n', b'{"custom_id": "1", "body": {}}\n', b"", b"a,b\n1,2\n"]
)
async def test_any_other_file_is_only_a_file(content: bytes, run: Run, seen: Seen, tmp_path: Path) -> None:
    door = Door("file", lambda c: c.files.content("file-1"), "bytes", content, "")
    assert (await run(door, DoorWire(content), tmp_path))[1] == content
    await run(DOWNLOADS[0], DoorWire(DOWNLOADS[0].body), tmp_path)  # is read after the other
    assert len(seen.collected.wait(4)) == 4
