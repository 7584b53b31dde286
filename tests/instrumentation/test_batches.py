"""The results of a batch are calls, whichever way their file is read; any other file is not."""

from __future__ import annotations

import gc
import json
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import openai
import pytest

import otel_llm_cost
from otel_llm_cost import reaper

from .conftest import Seen
from .wire import CHAT, EMBEDDINGS, RESPONSE


def result(number: int, body: Any, status: int = 200) -> dict[str, Any]:
    answer = {"status_code": status, "request_id": f"r{number}", "body": body}
    return {"id": f"batch_req_{number}", "custom_id": f"c{number}", "response": answer, "error": None}


FAILED = {"error": {"message": "no", "type": "invalid_request_error", "code": "context_length_exceeded"}}
LINES = [
    result(1, {**CHAT, "id": "chatcmpl-b1", "created": 1_790_000_000}),
    result(2, {**RESPONSE, "id": "resp_b2"}),
    result(3, EMBEDDINGS),
    result(4, FAILED, 400),
]
FILE = "\n".join(json.dumps(line) for line in LINES) + "\n"

Reader = Callable[[openai.OpenAI, Path], bytes]


def whole(client: openai.OpenAI, _path: Path) -> bytes:
    return client.files.content("file-1").read()


def raw(client: openai.OpenAI, _path: Path) -> bytes:
    return client.files.with_raw_response.content("file-1").content


def to_a_file(client: openai.OpenAI, path: Path) -> bytes:
    with client.files.with_streaming_response.content("file-1") as response:
        response.stream_to_file(path / "out.jsonl")
    return (path / "out.jsonl").read_bytes()


def client_for(body: bytes) -> openai.OpenAI:
    def answer(_request: httpx2.Request) -> httpx2.Response:
        pieces = [body[i : i + 97] for i in range(0, len(body), 97)]
        return httpx2.Response(200, stream=_Pieces(pieces), headers={"content-type": "application/octet-stream"})

    return openai.OpenAI(api_key="k", http_client=httpx2.Client(transport=httpx2.MockTransport(answer)))


class _Pieces(httpx2.SyncByteStream):
    def __init__(self, pieces: list[bytes]) -> None:
        self.pieces = pieces

    def __iter__(self) -> Any:
        return iter(self.pieces)


@pytest.mark.parametrize("read", [whole, raw, to_a_file], ids=["whole", "raw", "to a file"])
def test_every_result_is_a_call(read: Reader, seen: Seen, tmp_path: Path) -> None:
    with client_for(FILE.encode()) as client, otel_llm_cost.tags(feature="letters"):
        assert read(client, tmp_path) == FILE.encode()
    chat, response, embeddings, failed = [dict(span.attributes or {}) for span in seen.collected.wait(4)]
    assert {a["llm_cost.batch"] for a in (chat, response, embeddings, failed)} == {True}
    assert {a["llm_cost.feature"] for a in (chat, response, embeddings, failed)} == {"letters"}
    assert (chat["gen_ai.response.id"], chat["gen_ai.usage.input_tokens"]) == ("chatcmpl-b1", 120)
    assert (response["openai.api.type"], response["gen_ai.usage.output_tokens"]) == ("responses", 45)
    assert (embeddings["gen_ai.operation.name"], embeddings["gen_ai.usage.input_tokens"]) == ("embeddings", 8)
    assert (failed["error.type"], failed["llm_cost.error.class"]) == ("context_length_exceeded", "bad_request")
    assert "gen_ai.usage.input_tokens" not in failed
    made = {span.attributes["gen_ai.response.id"]: span.start_time for span in seen.spans[:2] if span.attributes}
    assert made["chatcmpl-b1"] == 1_790_000_000 * 10**9  # it is priced as of the day it was made


MANY = """
import json, sys, httpx2, openai
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from otel_llm_cost.instrumentor import OpenAIInstrumentor

class Counts(SpanExporter):
    stored = 0
    def export(self, spans):
        Counts.stored += len(spans)
        return SpanExportResult.SUCCESS
    def shutdown(self):
        print(Counts.stored, flush=True)

provider = TracerProvider()
provider.add_span_processor(BatchSpanProcessor(Counts()))
OpenAIInstrumentor().instrument(tracer_provider=provider)
body = {"object": "list", "data": [], "model": "m", "usage": {"prompt_tokens": 8, "total_tokens": 8}}
lines = [json.dumps({"id": f"b{n}", "custom_id": "c", "response": {"status_code": 200, "body": body}, "error": None})
         for n in range(5000)]
answer = httpx2.MockTransport(lambda request: httpx2.Response(200, text="\\n".join(lines)))
openai.OpenAI(api_key="k", http_client=httpx2.Client(transport=answer)).files.content("file-1")
"""


def test_no_result_is_lost_when_there_are_many_and_the_program_ends_at_once() -> None:
    ended = subprocess.run([sys.executable, "-c", MANY], capture_output=True, text=True, timeout=60, check=False)
    assert (ended.stdout.strip(), ended.stderr) == ("5000", "")


@pytest.mark.parametrize("read", [whole, raw, to_a_file], ids=["whole", "raw", "to a file"])
def test_blank_lines_are_no_end(read: Reader, seen: Seen, tmp_path: Path) -> None:
    with client_for(b"\xef\xbb\xbf\n" + FILE.replace("\n", "\n\n").encode()) as client:
        read(client, tmp_path)
    assert len(seen.collected.wait(4)) == 4


def test_results_are_no_part_of_the_trace_in_which_they_are_read(seen: Seen, tmp_path: Path) -> None:
    with seen.provider.get_tracer("t").start_as_current_span("nightly") as reading, client_for(FILE.encode()) as client:
        whole(client, tmp_path)
        results = [span for span in seen.collected.wait(4) if span.name != "nightly"]
    assert {span.parent for span in results} == {None}
    assert {link.context.span_id for span in results for link in span.links} == {reading.get_span_context().span_id}


def test_the_tokens_of_a_result_are_measured_once(seen: Seen, tmp_path: Path) -> None:
    for _ in range(2):
        with client_for(FILE.encode()) as client:
            whole(client, tmp_path)
    seen.collected.wait(8)
    points = seen.metrics()["gen_ai.client.token.usage"]
    assert sum(count for labels, count, _ in points if labels["gen_ai.operation.name"] == "chat") == 4


@pytest.mark.parametrize(
    "body",
    [b"\x89PNG\r\n\x1a\n" * 99, b'{"messages": []}\n' * 5, b"", b"{not json\n", b"[1]\n", b'"custom_id"'],
    ids=["picture", "training data", "empty", "broken", "list", "text"],
)
def test_any_other_file_is_no_call(body: bytes, seen: Seen, tmp_path: Path) -> None:
    for read in (whole, raw, to_a_file):
        with client_for(body) as client:
            assert read(client, tmp_path) == body
    with client_for(FILE.encode()) as client:  # the results of this one come after whatever was made of the others
        whole(client, tmp_path)
    assert len(seen.collected.wait(4)) == 4


def test_nothing_is_kept_of_a_file(seen: Seen, tmp_path: Path) -> None:
    with client_for(FILE.encode()) as client:
        whole(client, tmp_path)
    seen.collected.wait(4)
    gone = threading.Event()
    reaper.leave(gone.set)  # the thread that read the results takes up something else
    assert gone.wait(10)
    gc.collect()
    assert not [o for o in gc.get_objects() if type(o).__name__ == "Download"]
