"""The emulator as Google's SDK sees it, with no instrumentation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx2
import pytest
from google.genai import Client, errors, types
from pydantic import BaseModel

from otel_llm_cost_exporter.demo import prose
from otel_llm_cost_exporter.demo.gemini import answer
from otel_llm_cost_exporter.demo.reply import Ask

if TYPE_CHECKING:
    from otel_llm_cost_exporter.demo.emulator import Emulator

FLASH, LITE = "gemini-2.5-flash", "gemini-2.5-flash-lite"
ASK = "Describe a city bicycle."


class Bicycle(BaseModel):
    name: str
    gears: int


def used(answer: types.GenerateContentResponse) -> types.GenerateContentResponseUsageMetadata:
    assert answer.usage_metadata is not None
    return answer.usage_metadata


def tools(**tool: Any) -> types.GenerateContentConfig:
    return types.GenerateContentConfig(tools=[types.Tool(**tool)])


def test_a_whole_answer_has_an_id_a_version_and_thoughts_beside_its_text(gemini: Client, emulator: Emulator) -> None:
    made = gemini.models.generate_content(model=FLASH, contents=ASK)
    usage = used(made)
    assert made.text is not None
    assert usage.prompt_token_count == prose.tokens(ASK)
    assert usage.candidates_token_count == prose.tokens(made.text)
    assert usage.thoughts_token_count
    assert usage.total_token_count == sum(
        (usage.prompt_token_count, usage.candidates_token_count, usage.thoughts_token_count)
    )
    assert usage.traffic_type == types.TrafficType.ON_DEMAND
    assert made.model_version == FLASH
    (entry,) = emulator.ledger
    assert (entry.vendor, entry.operation, entry.model) == ("gcp.gemini", "generate_content", FLASH)
    assert entry.response_id == made.response_id
    assert entry.usage is not None
    assert entry.usage.output_tokens == usage.candidates_token_count + usage.thoughts_token_count


def test_a_stream_equals_its_whole_and_tells_its_usage_so_far(gemini: Client, emulator: Emulator) -> None:
    chunks = list(gemini.models.generate_content_stream(model=FLASH, contents=ASK))
    whole = gemini.models.generate_content(model=FLASH, contents=ASK)
    assert "".join(chunk.text or "" for chunk in chunks) == whole.text
    assert used(chunks[-1]) == used(whole)
    said = [used(chunk).candidates_token_count or 0 for chunk in chunks]
    assert said == sorted(said)
    assert {chunk.response_id for chunk in chunks} == {emulator.ledger[0].response_id}
    assert (emulator.ledger[0].stream, emulator.ledger[0].usage) == (True, emulator.ledger[1].usage)


async def test_asynchronous_calls_and_chats_are_served(gemini: Client, emulator: Emulator) -> None:
    chat = gemini.aio.chats.create(model=LITE)
    first = await chat.send_message(ASK)
    second = [chunk async for chunk in await chat.send_message_stream("And if it rains?")]
    await gemini.aio.aclose()
    assert used(first).thoughts_token_count is None
    assert (used(second[-1]).prompt_token_count or 0) > (used(first).prompt_token_count or 0)
    assert len(emulator.ledger) == 2


def test_a_long_beginning_is_read_from_the_cache_the_second_time(gemini: Client, emulator: Emulator) -> None:
    config = types.GenerateContentConfig(system_instruction="word " * 1500)
    first = gemini.models.generate_content(model=FLASH, contents=ASK, config=config)
    second = gemini.models.generate_content(model=FLASH, contents="Another one.", config=config)
    assert used(first).cached_content_token_count is None
    assert used(second).cached_content_token_count == 1500
    assert used(second).prompt_token_count == 1500 + prose.tokens("Another one.")
    assert emulator.ledger[1].usage is not None
    assert emulator.ledger[1].usage.cache_read_input_tokens == 1500


def test_what_a_tool_fetches_stands_beside_the_prompt_and_searches_are_told(gemini: Client, emulator: Emulator) -> None:
    read = gemini.models.generate_content(model=LITE, contents=ASK, config=tools(url_context=types.UrlContext()))
    assert used(read).tool_use_prompt_token_count
    assert used(read).prompt_token_count == prose.tokens(ASK)
    searched = gemini.models.generate_content(
        model=LITE, contents=ASK, config=tools(google_search=types.GoogleSearch())
    )
    grounding = (searched.candidates or [])[0].grounding_metadata
    assert grounding is not None
    assert len(grounding.web_search_queries or []) == 1
    fetched, found = (entry.usage for entry in emulator.ledger)
    assert fetched is not None
    assert fetched.input_tokens == prose.tokens(ASK) + (used(read).tool_use_prompt_token_count or 0)
    assert found is not None
    assert found.grounding_requests == 1


def test_pictures_and_sounds_are_told_by_modality(gemini: Client, emulator: Emulator) -> None:
    media = [types.Part.from_bytes(data=b"x", mime_type=kind) for kind in ("image/png", "audio/wav")]
    made = gemini.models.generate_content(model=LITE, contents=[*media, "What is this?"])
    found = {detail.modality: detail.token_count for detail in used(made).prompt_tokens_details or []}
    assert found == {types.MediaModality.IMAGE: 258, types.MediaModality.AUDIO: 320, types.MediaModality.TEXT: 4}
    assert emulator.ledger[0].usage is not None
    assert (emulator.ledger[0].usage.image_input_tokens, emulator.ledger[0].usage.audio_input_tokens) == (258, 320)


def test_structured_answers_and_demanded_calls_fit_their_schemas(gemini: Client) -> None:
    form = types.GenerateContentConfig(response_mime_type="application/json", response_schema=Bicycle)
    assert isinstance(gemini.models.generate_content(model=LITE, contents=ASK, config=form).parsed, Bicycle)
    schema = Bicycle.model_json_schema()
    function = types.FunctionDeclaration(name="add_bicycle", parameters_json_schema=schema)
    config = tools(function_declarations=[function])
    config.tool_config = types.ToolConfig(function_calling_config=types.FunctionCallingConfig(mode="ANY"))  # type: ignore[arg-type]
    calls = gemini.models.generate_content(model=LITE, contents=ASK, config=config).function_calls
    assert calls
    assert Bicycle.model_validate(calls[0].args)


def test_an_answer_is_cut_at_the_limit_and_thoughts_at_their_budget(gemini: Client) -> None:
    config = types.GenerateContentConfig(max_output_tokens=5, thinking_config=types.ThinkingConfig(thinking_budget=20))
    made = gemini.models.generate_content(model=FLASH, contents=ASK, config=config)
    assert (made.candidates or [])[0].finish_reason == types.FinishReason.MAX_TOKENS
    assert (used(made).candidates_token_count, used(made).thoughts_token_count) == (5, 20)


def test_embeddings_of_one_or_several(gemini: Client, emulator: Emulator) -> None:
    size = types.EmbedContentConfig(output_dimensionality=8)
    shelf = gemini.models.embed_content(
        model="gemini-embedding-001", contents=["a late delivery", "an invoice"], config=size
    )
    assert [len(each.values or []) for each in shelf.embeddings or []] == [8, 8]
    assert shelf.usage_metadata is not None
    assert shelf.usage_metadata.prompt_token_count == 5
    single = answer(
        Ask(path="/v1/models/gemini-embedding-001:embedContent", body={"content": {"parts": [{"text": "a b"}]}})
    )
    assert single.usage is not None
    assert single.usage.input_tokens == 2
    assert [entry.operation for entry in emulator.ledger] == ["embeddings"]


def test_counting_tokens_bills_nothing(gemini: Client, emulator: Emulator) -> None:
    assert gemini.models.count_tokens(model=FLASH, contents=ASK).total_tokens == prose.tokens(ASK)
    assert [(entry.operation, entry.usage) for entry in emulator.ledger] == [("count_tokens", None)]


@pytest.mark.parametrize(
    ("script", "code", "status"),
    [
        ("auth", 401, "UNAUTHENTICATED"),
        ("bad-request", 400, "INVALID_ARGUMENT"),
        ("not-found", 404, "NOT_FOUND"),
        ("quota", 429, "RESOURCE_EXHAUSTED"),
        ("overloaded", 503, "UNAVAILABLE"),
        ("server-error", 500, "INTERNAL"),
    ],
)
def test_refusals_are_in_googles_words(gemini: Client, script: str, code: int, status: str) -> None:
    with pytest.raises(errors.APIError) as caught:
        gemini.models.generate_content(model=f"{LITE}@{script}", contents=ASK)
    assert (caught.value.code, caught.value.status) == (code, status)


def test_models_that_do_not_exist_are_refused(gemini: Client) -> None:
    for method in (gemini.models.generate_content, gemini.models.embed_content, gemini.models.count_tokens):
        with pytest.raises(errors.ClientError, match="gemini-9"):
            method(model="gemini-9", contents=ASK)


def test_a_retry_is_known_though_the_sdk_does_not_say_so(gemini: Client, emulator: Emulator) -> None:
    again = types.HttpRetryOptions(attempts=3, initial_delay=0.01, jitter=0.0)
    config = types.GenerateContentConfig(http_options=types.HttpOptions(retry_options=again))
    for _ in range(2):
        gemini.models.generate_content(model=f"{LITE}@rate-limit", contents=ASK, config=config)
    assert [(entry.attempt, entry.status) for entry in emulator.ledger] == [(0, 429), (1, 200), (0, 429), (1, 200)]


@pytest.mark.parametrize(
    ("script", "error"),
    [
        ("error-event", errors.ServerError),
        ("cut", httpx2.RemoteProtocolError),
        ("malformed", errors.UnknownApiResponseError),
    ],
)
def test_a_stream_can_break(gemini: Client, emulator: Emulator, script: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        list(gemini.models.generate_content_stream(model=f"{FLASH}@{script}", contents=ASK))
    assert emulator.ledger[0].usage is None
