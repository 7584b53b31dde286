"""Whom a call is for, said on the call itself; and who may ask to be left alone."""

from __future__ import annotations

from typing import Any

import httpx2
import openai
import pytest
from opentelemetry import context as otel_context

import otel_llm_cost
from otel_llm_cost import turn

from .conftest import Seen
from .ways import MESSAGES
from .wire import CHAT, Reply, Wire

ASK: dict[str, Any] = {"model": "gpt-4o", "messages": MESSAGES}


def ask(**kw: Any) -> Wire:
    wire = Wire(Reply(CHAT))
    with wire.client() as client:
        client.chat.completions.create(**ASK, **kw)
    return wire


def test_headers_of_a_call_tag_it(seen: Seen) -> None:
    headers = {"X-LLM-Cost-Feature": "search", "x-llm-cost-user": "u-17", "x-llm-cost-tag-tenant": "acme", "x-a": "b"}
    ask(extra_headers=headers)
    a = seen.attributes
    assert (a["llm_cost.feature"], a["user.id"], a["llm_cost.tag.tenant"]) == ("search", "u-17", "acme")
    assert "llm_cost.project" not in a


def test_metadata_of_a_call_tags_it_and_is_sent_as_ever(seen: Seen) -> None:
    metadata = {"llm_cost.project": "shop", "llm_cost.session": "s1", "llm_cost.tag.tenant": "acme", "other": "x"}
    wire = ask(metadata=metadata)
    a = seen.attributes
    assert (a["llm_cost.project"], a["session.id"], a["llm_cost.tag.tenant"]) == ("shop", "s1", "acme")
    assert wire.sent[0]["metadata"] == metadata
    assert not [name for name in a if "other" in name]


def test_the_call_knows_better_than_what_is_around_it(seen: Seen) -> None:
    with otel_llm_cost.tags(project="shop", feature="chat", tenant="acme", region="eu"):
        ask(metadata={"llm_cost.feature": "search", "llm_cost.tag.tenant": "zeta"})
    a = seen.attributes
    assert (a["llm_cost.project"], a["llm_cost.feature"]) == ("shop", "search")
    assert (a["llm_cost.tag.tenant"], a["llm_cost.tag.region"]) == ("zeta", "eu")


def ask_under(key: str) -> None:
    token = otel_context.attach(otel_context.set_value(key, True))
    try:
        ask()
    finally:
        otel_context.detach(token)


@pytest.mark.parametrize("key", ["suppress_instrumentation", "suppress_language_model_instrumentation"])
def test_who_reports_the_call_itself_is_left_alone(seen: Seen, key: str) -> None:
    ask_under(key)
    assert seen.spans == []


def test_a_framework_that_leaves_its_wish_behind_need_not_be_heeded(
    seen: Seen, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    turn._say_so.cache_clear()
    ask_under("suppress_language_model_instrumentation")
    ask_under("suppress_language_model_instrumentation")
    assert caplog.text.count("OTEL_LLM_COST_FRAMEWORK_SUPPRESSION=false") == 1
    monkeypatch.setenv("OTEL_LLM_COST_FRAMEWORK_SUPPRESSION", "false")
    ask_under("suppress_language_model_instrumentation")
    assert len(seen.spans) == 1
    ask_under("suppress_instrumentation")
    assert len(seen.spans) == 1


def test_a_call_made_from_within_a_call_is_a_call_of_its_own(seen: Seen) -> None:
    inner = Wire(Reply({**CHAT, "id": "chatcmpl-2"}))

    def hook(_request: object) -> None:
        with inner.client() as client:
            client.chat.completions.create(**ASK)

    http = httpx2.Client(transport=httpx2.MockTransport(Wire(Reply(CHAT))), event_hooks={"request": [hook]})
    with openai.OpenAI(api_key="k", http_client=http) as client:
        client.chat.completions.create(**ASK)
    within, around = seen.spans
    assert [dict(s.attributes or {})["gen_ai.response.id"] for s in seen.spans] == ["chatcmpl-2", "chatcmpl-1"]
    assert within.parent is around.parent is None  # beside it: a child that says a usage would set its parent aside
    assert not within.events
    assert not around.events
