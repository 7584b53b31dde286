"""The waist of Google's older SDKs: the methods of the generated (GAPIC) clients that they end in.

google-generativeai calls `GenerativeServiceClient`, google-cloud-aiplatform (vertexai) `PredictionServiceClient`, each
with an asynchronous twin, over gRPC or REST.  What passes are protocol-buffer messages; the provider reads them in the
JSON form that the REST API has, so there is one reader for all.  A stream is handed on as a proxy of the SDK's own
object, which it is to `isinstance` and in every method.  Retries are made below, out of sight.

An old client has no names for newer counts, so the total is more than its parts.  Over gRPC the rest is found among the
unknown fields; over REST it is gone, and known only where one thing can be missing: the tool-use prompt where the
client knows of thoughts, and thoughts where the request has no tools of Google's own, which feed the model tokens too.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Hashable, Iterator, Mapping
from functools import lru_cache
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

import wrapt

from otel_llm_cost.call import OpenCall
from otel_llm_cost.patches import Wrapper
from otel_llm_cost.provider import Wire
from otel_llm_cost.quiet import quietly
from otel_llm_cost.turn import Turn, Waist, enabled

from .chunks import Chunks

_VERTEX: Final = "vertexai"
"""A word that the provider looks for among the names of the client."""
_COUNTED: Final = ("promptTokenCount", "candidatesTokenCount", "toolUsePromptTokenCount", "thoughtsTokenCount")
_TOOL_USE_FIELD: Final = 8
"""Number of a field of generativelanguage.v1beta's `UsageMetadata`."""
_THOUGHTS_FIELD: Final = 10
_GENERATE: Final = ("generate_content", "stream_generate_content")
_OTHERS: Final = ("embed_content", "batch_embed_contents", "count_tokens", "predict")
"""Methods that not every version has."""


class Target(NamedTuple):
    """A method to wrap."""

    module: str
    owner: str
    method: str
    asynchronous: bool
    optional: bool


def _targets(services: str, owner: str, *methods: str) -> tuple[Target, ...]:
    return tuple(
        Target(f"{services}.{module}", f"{owner}{kind}", method, kind == "AsyncClient", method not in _GENERATE)
        for module, kind in (("client", "Client"), ("async_client", "AsyncClient"))
        for method in methods
    )


_AIPLATFORM: Final = "google.cloud.aiplatform_"
GENERATIVEAI: Final = _targets(
    "google.ai.generativelanguage_v1beta.services.generative_service", "GenerativeService", *_GENERATE, *_OTHERS
)
AIPLATFORM: Final = (
    *_targets(f"{_AIPLATFORM}v1.services.prediction_service", "PredictionService", *_GENERATE, *_OTHERS),
    *_targets(f"{_AIPLATFORM}v1beta1.services.prediction_service", "PredictionService", *_GENERATE, *_OTHERS),
    *_targets(f"{_AIPLATFORM}v1.services.llm_utility_service", "LlmUtilityService", "count_tokens"),
)


class Gapic(Waist):
    """Observes the methods of one family of clients."""

    def wrapper(self, method: str, *, asynchronous: bool) -> Wrapper:
        """The wrapt wrapper of one method."""

        def sync(wrapped: Any, client: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
            if not enabled():
                return wrapped(*args, **kwargs)
            turn = self._turn(method, client, args, kwargs, _SyncStream)
            with turn:
                turn.result = wrapped(*args, **kwargs)
            return turn.handed_on()

        async def awaiting(wrapped: Any, client: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
            if not enabled():
                return await wrapped(*args, **kwargs)
            turn = self._turn(method, client, args, kwargs, _AsyncStream)
            with turn:
                turn.result = await wrapped(*args, **kwargs)
            return turn.handed_on()

        return awaiting if asynchronous else sync

    def _turn(
        self, method: str, client: Any, args: tuple[Any, ...], kwargs: dict[str, Any], proxy: Callable[..., Any]
    ) -> _Turn:
        turn = _Turn(self, proxy)
        with quietly("open a call"):
            asked = _json(kwargs.get("request", args[0] if args else None) or kwargs)
            turn.form = _Messages(tools=_has_built_in(asked))
            turn.begin(_wire(method, client, asked), None)
        return turn


class _Turn(Turn):
    __slots__ = ("_proxy", "_reading", "form")

    def __init__(self, waist: Waist, proxy: Callable[..., Any]) -> None:
        super().__init__(waist)
        self._proxy = proxy
        self._reading: Chunks | None = None
        self.form = _Messages(tools=True)

    def _answered(self, call: OpenCall) -> bool:
        if call.request.stream:
            self._reading = Chunks(call, self._waist.provider, self.form)
            return True
        call.answered(self._waist.provider, self.form.parsed(_protobuf(self.result)))
        return False

    def handed_on(self) -> Any:
        """What the caller gets."""
        return self.result if self._reading is None else self._proxy(self.result, self._reading)


class _SyncStream(wrapt.ObjectProxy):  # type: ignore[type-arg]  # generic from wrapt 2 on
    def __init__(self, stream: Any, reading: Chunks) -> None:
        super().__init__(stream)
        self._self_chunks = reading.through(stream)

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        return next(self._self_chunks)


class _AsyncStream(wrapt.ObjectProxy):  # type: ignore[type-arg]
    def __init__(self, stream: Any, reading: Chunks) -> None:
        super().__init__(stream)
        self._self_chunks = reading.athrough(stream)

    def __aiter__(self) -> AsyncIterator[Any]:
        return self._self_chunks


class _Messages:
    """Chunks of `stream_generate_content`: messages, kept as protocol buffers."""

    ends_told = True

    def __init__(self, *, tools: bool) -> None:
        self._tools = tools

    def piece(self, chunk: Any) -> Any:
        return _protobuf(chunk)

    def size(self, piece: Any) -> int:
        return int(piece.ByteSize())

    def counts(self, piece: Any) -> Hashable:
        return tuple(field.name for field, _ in piece.usage_metadata.ListFields())

    def tells_more(self, piece: Any) -> bool:
        return piece.HasField("prompt_feedback") or any(
            candidate.finish_reason or candidate.HasField("grounding_metadata") for candidate in piece.candidates
        )

    def parsed(self, piece: Any) -> Any:
        answer = _without_vectors(piece) or _to_json(piece)
        usage = answer.get("usageMetadata")
        if usage:
            usage |= self._lost(usage, piece.usage_metadata)
        return answer

    def _lost(self, usage: Mapping[str, Any], piece: Any) -> dict[str, int]:
        """The counts that this client has no names for."""
        rest = usage.get("totalTokenCount", 0) - sum(usage.get(name, 0) for name in _COUNTED)
        if rest <= 0:
            return {}
        if "thoughts_token_count" in piece.DESCRIPTOR.fields_by_name:
            return {"toolUsePromptTokenCount": rest}
        unknown = _unknown(piece)
        tools, thoughts = unknown.get(_TOOL_USE_FIELD, 0), unknown.get(_THOUGHTS_FIELD, 0)
        if tools + thoughts == rest:
            return {"toolUsePromptTokenCount": tools, "thoughtsTokenCount": thoughts}
        return {} if self._tools else {"thoughtsTokenCount": rest}


# -- messages


def _protobuf(message: Any) -> Any:
    """The protocol buffer behind a proto-plus message, or itself."""
    return vars(message).get("_pb", message) if hasattr(message, "__dict__") else message


def _to_json(piece: Any) -> dict[str, Any]:
    from google.protobuf.json_format import MessageToDict  # noqa: PLC0415  # present where its messages are

    said: dict[str, Any] = MessageToDict(piece)
    return said


def _unknown(piece: Any) -> dict[int, Any]:
    """Number → value of the fields that this version of the message does not know."""
    try:
        from google.protobuf.unknown_fields import UnknownFieldSet  # noqa: PLC0415  # as above
    except ImportError:
        return {}
    return {field.field_number: field.data for field in UnknownFieldSet(piece)}


def _json(request: Any) -> Mapping[str, Any]:
    """A request as the REST API has it, the bytes of its media left out; a mapping (of a caller's own) as it is."""
    if isinstance(request, Mapping):
        return request
    piece = _protobuf(request)
    if "contents" not in piece.DESCRIPTOR.fields_by_name:
        return _to_json(piece)
    copied = type(piece)()
    copied.CopyFrom(piece)
    for content in copied.contents:
        for part in content.parts:
            if part.HasField("inline_data"):
                part.inline_data.data = b""
    return _to_json(copied)


def _without_vectors(piece: Any) -> dict[str, Any] | None:
    """Embeddings, of which only the counts are read: a vector has a thousand numbers.  None for any other answer."""
    fields = piece.DESCRIPTOR.fields_by_name
    if "predictions" not in fields:
        return {} if "embeddings" in fields else None
    counted = []
    for prediction in piece.predictions:
        embeddings = _member(prediction, "embeddings")
        statistics = _member(embeddings, "statistics") if embeddings is not None else None
        counted.append({"embeddings": {"statistics": _to_json(statistics)}} if statistics is not None else {})
    return {"predictions": counted}


def _member(value: Any, name: str) -> Any:
    """A field of a `google.protobuf.Value` that is an object; None where it is not."""
    fields = value.struct_value.fields
    return fields[name] if name in fields else None  # noqa: SIM401  # a map field makes what it is asked for


def _has_built_in(asked: Mapping[str, Any]) -> bool:
    """Whether a request has tools beside the caller's own functions."""
    tools = asked.get("tools")
    return isinstance(tools, list) and any(
        key not in ("functionDeclarations", "function_declarations") for tool in tools for key in tool
    )


# -- the wire


def _wire(method: str, client: Any, asked: Mapping[str, Any]) -> Wire:
    """As the REST API would have it: the resource and the method's name make the path."""
    host, port = _address(str(getattr(client, "api_endpoint", "")))
    first, *rest = method.split("_")
    name = asked.get("model") or asked.get("endpoint") or ""
    lineage = type(client).__name__
    return Wire(
        method="POST",
        path=f"/{name}:{first}{''.join(word.title() for word in rest)}",
        body=asked,
        host=host,
        port=port,
        client=f"{lineage} {_VERTEX}" if "aiplatform" in type(client).__module__ else lineage,
    )


@lru_cache(maxsize=64)
def _address(endpoint: str) -> tuple[str, int | None]:
    url = urlsplit(endpoint if "//" in endpoint else f"//{endpoint}")
    return url.hostname or "", url.port
