"""google-generativeai, retired, which needs protobuf < 6 and so an environment of its own: `make legacy` runs this."""

from __future__ import annotations

import gc
import json
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from opentelemetry.trace import StatusCode

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    genai = pytest.importorskip("google.generativeai")

import grpc
from google.ai import generativelanguage as glm
from google.ai.generativelanguage_v1beta.services.generative_service import transports
from google.api_core import exceptions
from google.api_core.grpc_helpers_async import GrpcAsyncStream
from google.protobuf import json_format

from otel_llm_cost import instrumentor
from tests.instrumentation.conftest import Seen

from .wire import CHUNKS, USAGE, WHOLE, Json, Refused, grpc_server, http_server, refusal, watched

pytestmark = pytest.mark.filterwarnings("ignore")
TOOL_USE, THOUGHTS = b"\x40", b"\x50"
"""Tags of the fields 8 and 10 of UsageMetadata, which this version of the SDK does not know."""


@pytest.fixture
def seen() -> Iterator[Seen]:
    """The SDK instrumented for the length of a test."""
    with watched(instrumentor.GoogleGenerativeAIInstrumentor()) as reported:
        yield reported


def message(said: Json, unknown: bytes = b"") -> bytes:
    """An answer as protocol buffer."""
    piece = glm.GenerateContentResponse.pb(glm.GenerateContentResponse())
    json_format.ParseDict(said, piece, ignore_unknown_fields=True)
    piece.usage_metadata.MergeFromString(unknown)
    return bytes(piece.SerializeToString())


@contextmanager
def over_rest(answer: Any, status: int = 200) -> Iterator[Any]:
    """A model whose client speaks HTTP."""
    with http_server(answer, status) as address:
        options = {"api_endpoint": address}
        client = glm.GenerativeServiceClient(transport="rest", client_options={**options, "api_key": "k"})
        model = genai.GenerativeModel("gemini-2.5-flash")
        model._client = client
        yield model


@contextmanager
def over_grpc(messages: list[bytes | Exception], *, asynchronous: bool = False) -> Iterator[Any]:
    """A model whose client speaks gRPC."""

    def stream() -> Iterator[bytes]:
        for each in messages:
            if isinstance(each, Exception):
                raise each
            yield each

    with grpc_server(lambda: next(stream()), stream) as address:
        model = genai.GenerativeModel("gemini-2.5-flash")
        if asynchronous:
            channel = grpc.aio.insecure_channel(address)
            transport = transports.GenerativeServiceGrpcAsyncIOTransport(channel=channel)
            model._async_client = glm.GenerativeServiceAsyncClient(transport=transport)
            yield model
        else:
            with grpc.insecure_channel(address) as channel:
                transport = transports.GenerativeServiceGrpcTransport(channel=channel)
                model._client = glm.GenerativeServiceClient(transport=transport)
                yield model


def assert_told(seen: Seen, *, streamed: bool = False) -> None:
    """One span with all that the answer said."""
    a = seen.attributes
    assert seen.span.name == "generate_content gemini-2.5-flash"
    assert (a["gen_ai.usage.input_tokens"], a["gen_ai.usage.output_tokens"]) == (120, 45)
    assert (a["gen_ai.usage.cache_read.input_tokens"], a["gen_ai.usage.reasoning.output_tokens"]) == (100, 30)
    assert (a["gen_ai.response.model"], a["gen_ai.response.finish_reasons"]) == ("gemini-2.5-flash", ("stop",))
    assert a.get("llm_cost.stream.outcome") == ("completed" if streamed else None)


def test_a_whole_answer_over_rest(seen: Seen) -> None:
    with over_rest(WHOLE) as model:
        answer = model.generate_content("Where?")
    assert answer.text == "Oslo"
    assert type(answer) is genai.types.GenerateContentResponse
    assert_told(seen)
    assert (seen.attributes["server.address"], seen.attributes["gen_ai.provider.name"]) == ("127.0.0.1", "127.0.0.1")


def test_a_stream_over_rest(seen: Seen) -> None:
    with over_rest(CHUNKS) as model:
        assert [chunk.text for chunk in model.generate_content("Where?", stream=True)] == ["Os", "l", "o"]
    assert_told(seen, streamed=True)


def test_an_error_over_rest(seen: Seen) -> None:
    with over_rest(refusal(429, "RESOURCE_EXHAUSTED"), 429) as model, pytest.raises(exceptions.TooManyRequests):
        model.generate_content("Where?", request_options={"retry": None})
    a = seen.attributes
    assert (a["error.type"], a["llm_cost.error.class"]) == ("RESOURCE_EXHAUSTED", "rate_limit")
    assert a["http.response.status_code"] == 429
    assert seen.span.status.status_code is StatusCode.ERROR


def test_counts_that_the_client_does_not_know_are_read_over_grpc(seen: Seen) -> None:
    said = {**WHOLE, "usageMetadata": {**USAGE, "totalTokenCount": 177}}
    with over_grpc([message(said, TOOL_USE + bytes([12]) + THOUGHTS + bytes([30]))]) as model:
        model.generate_content("Where?", tools="code_execution")
    a = seen.attributes
    assert (a["gen_ai.usage.input_tokens"], a["gen_ai.usage.output_tokens"]) == (132, 45)
    assert (a["llm_cost.usage.tool_use.input_tokens"], a["gen_ai.usage.reasoning.output_tokens"]) == (12, 30)


def test_what_is_lost_is_not_guessed_where_two_things_may_be(seen: Seen) -> None:
    with over_rest(WHOLE) as model:
        model.generate_content("Where?", tools="code_execution")
    assert seen.attributes["gen_ai.usage.output_tokens"] == 15
    assert "gen_ai.usage.reasoning.output_tokens" not in seen.attributes


@pytest.mark.parametrize("method", ["generate_content", "stream_generate_content"])
def test_the_sdks_object_comes_back(seen: Seen, method: str) -> None:
    request = glm.GenerateContentRequest(model="models/gemini-2.5-flash", contents=[{"parts": [{"text": "Where?"}]}])
    with over_grpc([message(said) for said in CHUNKS]) as model:
        answer = getattr(model._client, method)(request)
        if method.startswith("stream"):
            bare = getattr(model._client, method).__wrapped__(request)
            assert isinstance(answer, type(bare))
            assert len(list(bare)) == 3
            assert answer.code is not None
            assert [type(each) for each in answer] == [glm.GenerateContentResponse] * 3
        else:
            assert type(answer) is glm.GenerateContentResponse
    seen.collected.wait()


def test_a_stream_over_grpc(seen: Seen) -> None:
    with over_grpc([message(said) for said in CHUNKS]) as model:
        assert [chunk.text for chunk in model.generate_content("Where?", stream=True)] == ["Os", "l", "o"]
    assert_told(seen, streamed=True)


def test_a_stream_that_breaks(seen: Seen) -> None:
    with over_grpc([message(CHUNKS[0]), message(CHUNKS[1]), Refused(grpc.StatusCode.UNAVAILABLE)]) as model:
        stream = model._client.stream_generate_content(glm.GenerateContentRequest(model="models/gemini-2.5-flash"))
        with pytest.raises(exceptions.ServiceUnavailable):
            list(stream)
    a = seen.attributes
    assert (a["llm_cost.stream.outcome"], a["error.type"]) == ("broken", "UNAVAILABLE")
    assert (a["llm_cost.error.class"], a["gen_ai.usage.output_tokens"]) == ("overloaded", 5)


def test_a_stream_left_early(seen: Seen) -> None:
    with over_grpc([message(said) for said in CHUNKS]) as model:
        stream = model._client.stream_generate_content(glm.GenerateContentRequest(model="models/gemini-2.5-flash"))
        next(stream)
        stream.cancel()
        del stream
        gc.collect()
        (span,) = seen.collected.wait()
    assert dict(span.attributes or {})["llm_cost.stream.outcome"] in ("cancelled", "abandoned")


async def test_asynchronously(seen: Seen) -> None:
    with over_grpc([message(WHOLE)], asynchronous=True) as model:
        assert (await model.generate_content_async("Where?")).text == "Oslo"
        await model._async_client.transport.close()
    assert_told(seen)


async def test_an_asynchronous_stream(seen: Seen) -> None:
    with over_grpc([message(said) for said in CHUNKS], asynchronous=True) as model:
        answer = await model.generate_content_async("Where?", stream=True)
        assert [chunk.text async for chunk in answer] == ["Os", "l", "o"]
        request = glm.GenerateContentRequest(model="models/gemini-2.5-flash")
        stream = await model._async_client.stream_generate_content(request)
        assert isinstance(stream, GrpcAsyncStream)
        assert len([each async for each in stream]) == 3
        await model._async_client.transport.close()
    assert [dict(span.attributes or {})["llm_cost.stream.outcome"] for span in seen.spans] == ["completed"] * 2


def test_embeddings_and_counts(seen: Seen) -> None:
    with over_rest({"embedding": {"values": [0.5, 0.25]}, "totalTokens": 3}) as model:
        made = genai.embed_content(model="models/text-embedding-004", content="Where?", client=model._client)
        assert made == {"embedding": [0.5, 0.25]}
        assert model.count_tokens("Where?").total_tokens == 3
    assert [span.name for span in seen.spans] == ["embeddings text-embedding-004", "count_tokens gemini-2.5-flash"]
    assert not [name for span in seen.spans for name in span.attributes or {} if name.startswith("gen_ai.usage.")]


def test_the_bytes_of_a_picture_are_not_read_and_stay_where_they_are(seen: Seen) -> None:
    picture = {"mime_type": "image/png", "data": b"\x89PNG" * 1000}
    with over_rest(WHOLE) as model:
        model.generate_content(["Where?", picture])
    assert len(json.dumps(dict(seen.attributes), default=str)) < 2000
    assert len(picture["data"]) == 4000
