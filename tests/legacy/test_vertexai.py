"""The generative models of google-cloud-aiplatform, which cannot share an environment with the newest google-genai."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    aiplatform = pytest.importorskip("google.cloud.aiplatform_v1")

import grpc
import vertexai
from google.api_core import exceptions
from google.cloud.aiplatform_v1.services.prediction_service import transports
from google.oauth2.credentials import Credentials
from google.protobuf import json_format
from vertexai.generative_models import GenerationConfig, GenerationResponse, GenerativeModel

from otel_llm_cost import instrumentor
from tests.instrumentation.conftest import Seen

from .wire import CHUNKS, USAGE, WHOLE, Json, grpc_server, http_server, refusal, watched

pytestmark = pytest.mark.filterwarnings("ignore")
NAME = "projects/p/locations/us-central1/publishers/google/models/"


@pytest.fixture
def seen() -> Iterator[Seen]:
    """The SDK instrumented for the length of a test."""
    with watched(instrumentor.VertexAIInstrumentor()) as reported:
        yield reported


@contextmanager
def over_rest(answer: Any, status: int = 200) -> Iterator[GenerativeModel]:
    """A model whose client speaks HTTP."""
    with http_server(answer, status) as address:
        vertexai.init(
            project="p",
            location="us-central1",
            credentials=Credentials("t"),  # type: ignore[no-untyped-call]
            api_endpoint=address,
            api_transport="rest",
        )
        yield GenerativeModel("gemini-2.5-flash")


def assert_told(seen: Seen, *, streamed: bool = False) -> None:
    """One span with all that the answer said."""
    a = seen.attributes
    assert seen.span.name == "generate_content gemini-2.5-flash"
    assert (a["gen_ai.provider.name"], a["server.address"]) == ("gcp.vertex_ai", "127.0.0.1")
    assert (a["gen_ai.usage.input_tokens"], a["gen_ai.usage.output_tokens"]) == (120, 45)
    assert (a["gen_ai.usage.cache_read.input_tokens"], a["gen_ai.usage.reasoning.output_tokens"]) == (100, 30)
    assert a["gen_ai.response.finish_reasons"] == ("stop",)
    assert a.get("llm_cost.stream.outcome") == ("completed" if streamed else None)


def test_a_whole_answer(seen: Seen) -> None:
    with over_rest(WHOLE) as model:
        answer = model.generate_content(
            "Where?", generation_config=GenerationConfig(max_output_tokens=9, temperature=0.5)
        )
    assert type(answer) is GenerationResponse
    assert answer.text == "Oslo"
    assert_told(seen)
    assert (seen.attributes["gen_ai.request.max_tokens"], seen.attributes["gen_ai.request.temperature"]) == (9, 0.5)


def test_a_stream(seen: Seen) -> None:
    with over_rest(CHUNKS) as model:
        assert [chunk.text for chunk in model.generate_content("Where?", stream=True)] == ["Os", "l", "o"]
    assert_told(seen, streamed=True)


def test_a_chat(seen: Seen) -> None:
    with over_rest(WHOLE) as model:
        assert model.start_chat().send_message("Where?").text == "Oslo"
    assert_told(seen)


def test_tool_use_that_the_client_does_not_know(seen: Seen) -> None:
    usage = {**USAGE, "toolUsePromptTokenCount": 12, "totalTokenCount": 177, "trafficType": "PROVISIONED_THROUGHPUT"}
    with over_rest({**WHOLE, "usageMetadata": usage}) as model:
        model.generate_content("Where?")
    a = seen.attributes
    assert (a["gen_ai.usage.input_tokens"], a["gen_ai.usage.output_tokens"]) == (132, 45)
    assert a["llm_cost.usage.tool_use.input_tokens"] == 12
    assert a["llm_cost.response.service_tier"] == "PROVISIONED_THROUGHPUT"


def test_an_error(seen: Seen) -> None:
    with over_rest(refusal(404, "NOT_FOUND"), 404) as model, pytest.raises(exceptions.NotFound):
        model.generate_content("Where?")
    a = seen.attributes
    assert (a["error.type"], a["llm_cost.error.class"], a["http.response.status_code"]) == (
        "NOT_FOUND",
        "not_found",
        404,
    )


def test_embeddings_are_counted_text_by_text(seen: Seen) -> None:
    made = {
        "predictions": [{"embeddings": {"values": [0.5] * 9, "statistics": {"token_count": n}}} for n in (5, 3)],
        "deployedModelId": "",
    }
    with over_rest(made) as model:
        client = model._prediction_client
        answer = client.predict(endpoint=NAME + "text-embedding-005", instances=[{"content": "a"}, {"content": "b"}])
    assert len(answer.predictions) == 2
    assert seen.span.name == "embeddings text-embedding-005"
    assert seen.attributes["gen_ai.usage.input_tokens"] == 8


def test_a_prediction_of_ones_own_model_is_no_call(seen: Seen) -> None:
    with over_rest({"predictions": [1.0]}) as model:
        model._prediction_client.predict(endpoint="projects/p/locations/us-central1/endpoints/1", instances=[[1.0]])
    assert seen.spans == []


def test_counting_tokens(seen: Seen) -> None:
    with over_rest({"totalTokens": 3}) as model:
        assert model.count_tokens("Where?").total_tokens == 3
    assert seen.span.name == "count_tokens gemini-2.5-flash"


def message(said: Json) -> bytes:
    """An answer as protocol buffer."""
    piece = aiplatform.GenerateContentResponse.pb(aiplatform.GenerateContentResponse())
    json_format.ParseDict(said, piece, ignore_unknown_fields=True)
    return bytes(piece.SerializeToString())


@contextmanager
def over_grpc(*answers: Json) -> Iterator[GenerativeModel]:
    """A model whose asynchronous client speaks gRPC."""
    with grpc_server(lambda: message(answers[0]), lambda: iter([message(said) for said in answers])) as address:
        model = GenerativeModel("gemini-2.5-flash")
        transport = transports.PredictionServiceGrpcAsyncIOTransport(channel=grpc.aio.insecure_channel(address))
        model._prediction_async_client = aiplatform.PredictionServiceAsyncClient(transport=transport)
        yield model


async def test_asynchronously(seen: Seen) -> None:
    vertexai.init(project="p", location="us-central1", credentials=Credentials("t"))  # type: ignore[no-untyped-call]
    with over_grpc(*CHUNKS) as model:
        assert (await model.generate_content_async("Where?")).text == "Os"
        stream = await model.generate_content_async("Where?", stream=True)
        assert [chunk.text async for chunk in stream] == ["Os", "l", "o"]
        await model._close_async_client()
    whole, streamed = [dict(span.attributes or {}) for span in seen.spans]
    assert (whole["gen_ai.usage.output_tokens"], streamed["gen_ai.usage.output_tokens"]) == (5, 45)
    assert streamed["llm_cost.stream.outcome"] == "completed"
