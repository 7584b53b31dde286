"""What the tables cannot say: doors that a test of their own walks, and doors that stay shut."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).parents[2]


class Elsewhere(NamedTuple):
    """A door outside the tables, and the test that shows what is said of it."""

    door: str
    seen: str
    file: str
    test: str


class Unseen(NamedTuple):
    """A door that has no span.  `probe` walks it on a client of OpenAI's, where that takes no more than a request."""

    sdk: str
    door: str
    why: str
    probe: Callable[[Any], Any] | None = None


_OPENAI = "tests/instrumentation/test_openai.py"
_DOORS = "tests/instrumentation/test_openai_doors.py"
_ANTHROPIC = "tests/instrumentation/test_anthropic.py"
_GOOGLE = "tests/instrumentation/test_google.py"
_OLD = "tests/legacy/test_generativeai.py"
_VERTEX = "tests/legacy/test_vertexai.py"

ELSEWHERE: dict[str, list[Elsewhere]] = {
    "OpenAI": [
        Elsewhere("`AzureOpenAI`", "as `OpenAI`, named `azure.ai.openai`", _OPENAI, "test_azure_client"),
        Elsewhere(
            "Azure's `/deployments/NAME/…`",
            "the deployment is the model, where the body names none",
            _DOORS,
            "test_azure_s_deployment_is_the_model_where_the_body_says_none",
        ),
        Elsewhere(
            "any method, at another `base_url`",
            "named for its host, see [below](#compatible-hosts)",
            _OPENAI,
            "test_the_provider_is_whom_the_base_url_names",
        ),
    ],
    "Anthropic": [
        Elsewhere(
            "`beta.messages.tool_runner`",
            "a span for each turn",
            _ANTHROPIC,
            "test_each_turn_of_the_tool_runner_is_a_call",
        ),
        Elsewhere(
            "`messages.batches.results`",
            "a span for each result, marked as of a batch",
            _ANTHROPIC,
            "test_the_results_of_a_batch_are_calls",
        ),
        Elsewhere(
            "POST `/v1/complete`",
            "`text_completion`; its answers state no usage",
            _ANTHROPIC,
            "test_a_legacy_completion_says_no_usage",
        ),
        Elsewhere(
            "the SDK's own spans (1.14 and later)",
            "ours stands in their place: one span a call",
            "tests/instrumentation/test_anthropic_spans.py",
            "test_ours_stands",
        ),
    ],
    "Google: google-genai": [
        Elsewhere(
            "automatic function calling",
            "a span for each request",
            _GOOGLE,
            "test_every_request_of_automatic_function_calling_is_a_call",
        ),
        Elsewhere(
            "`batches.get`",
            "a span for each result within, marked as of a batch",
            _GOOGLE,
            "test_batch_results_are_calls_of_a_batch",
        ),
        Elsewhere("`files.download`", "the same, of a batch's results", _GOOGLE, "test_batch_results_in_a_file"),
        Elsewhere(
            "`caches.create`",
            "`create_cache`, without usage",
            _GOOGLE,
            "test_a_cache_that_is_made_is_no_generation",
        ),
        Elsewhere(
            "`models.generate_images`",
            "`generate_content`; its answers state no usage",
            _GOOGLE,
            "test_a_picture_has_a_span_and_no_usage",
        ),
        Elsewhere(
            "`interactions.get`",
            "`fetch_response`: billed when it was made (one made in the background is not billed yet)",
            _GOOGLE,
            "test_a_stored_interaction_was_billed_when_it_was_made",
        ),
    ],
    "Google: google-generativeai (retired)": [
        Elsewhere(
            "`GenerativeModel.generate_content`, REST",
            "tokens, cache, reasoning, finish",
            _OLD,
            "test_a_whole_answer_over_rest",
        ),
        Elsewhere("the same, streamed", "the same, and outcome", _OLD, "test_a_stream_over_rest"),
        Elsewhere("the same, streamed, gRPC", "the same", _OLD, "test_a_stream_over_grpc"),
        Elsewhere("`generate_content_async`", "the same", _OLD, "test_asynchronously"),
        Elsewhere(
            "`embed_content`, `count_tokens`",
            "`embeddings`, `count_tokens`; the answers state no usage",
            _OLD,
            "test_embeddings_and_counts",
        ),
        Elsewhere("an error", "class and status", _OLD, "test_an_error_over_rest"),
        Elsewhere("a stream that breaks", "outcome, error, tokens so far", _OLD, "test_a_stream_that_breaks"),
        Elsewhere("a stream left early", "outcome", _OLD, "test_a_stream_left_early"),
    ],
    "Google: google-cloud-aiplatform (`vertexai`)": [
        Elsewhere(
            "`GenerativeModel.generate_content`", "tokens, cache, reasoning, finish", _VERTEX, "test_a_whole_answer"
        ),
        Elsewhere("the same, streamed", "the same, and outcome", _VERTEX, "test_a_stream"),
        Elsewhere("`ChatSession.send_message`", "the same", _VERTEX, "test_a_chat"),
        Elsewhere("`generate_content_async`", "tokens, outcome", _VERTEX, "test_asynchronously"),
        Elsewhere(
            "`predict` of an embedding model",
            "`embeddings`, tokens",
            _VERTEX,
            "test_embeddings_are_counted_text_by_text",
        ),
        Elsewhere("`count_tokens`", "`count_tokens`", _VERTEX, "test_counting_tokens"),
        Elsewhere("an error", "class and status", _VERTEX, "test_an_error"),
    ],
}
"""SDK → what else of it is seen."""

_SOCKET = "a WebSocket, not a request: its usage comes in events that no HTTP client sees"
_AWAY = "runs at the vendor's and is polled; what it used is not read"
UNSEEN = [
    Unseen("OpenAI", "`realtime.connect`, `live.connect`, `responses.connect`", _SOCKET),
    Unseen(
        "OpenAI",
        "`beta.agents`, `beta.chatkit`, `beta.threads` (Assistants)",
        _AWAY,
        lambda c: [c.post(path, cast_to=object) for path in ("/agents/sessions", "/threads/runs", "/threads/t/runs")],
    ),
    Unseen("OpenAI", "`videos`", "its answers state no usage", lambda c: c.post("/videos", cast_to=object)),
    Unseen("OpenAI", "`evals`, `fine_tuning`", _AWAY, lambda c: c.post("/fine_tuning/jobs", cast_to=object)),
    Unseen("Anthropic", "`beta.sessions` (managed agents)", _AWAY),
    Unseen("google-genai", "`aio.live.connect`, `aio.live.music.connect`", _SOCKET),
    Unseen("google-genai", "`tunings.tune`", _AWAY),
    Unseen(
        "OpenAI, Anthropic",
        "`http_response.iter_raw()` of a streaming response",
        "there is a span, without usage; raw bytes pass unread, with the usage chunk that was asked for",
    ),
    Unseen(
        "any",
        "what calls no model: files, stored objects, vector stores, the making of a batch",
        "it bills no tokens",
        lambda c: [c.post(path, cast_to=object) for path in ("/files", "/batches", "/vector_stores")],
    ),
    Unseen("any", "calls within `suppress_instrumentation()`", "the program asked for it"),
    Unseen("any", "a client of one's own: `requests`, `httpx`, `curl`", "no SDK, no instrumentation"),
]


def untested() -> list[str]:
    """Tests that are named here and do not exist."""
    entries = [entry for group in ELSEWHERE.values() for entry in group]
    return [f"{entry.file}::{entry.test}" for entry in entries if not _exists(ROOT / entry.file, entry.test)]


def _exists(file: Path, name: str) -> bool:
    return file.is_file() and f"def {name}(" in file.read_text()
