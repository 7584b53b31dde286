"""Addresses to forward to, and those that are refused."""

from __future__ import annotations

import pytest

from otel_llm_cost_exporter.forward import BadTarget, Target, refuse_own


def parse(address: str, headers: str = "") -> Target:
    return Target.parse(address, environ={"OTEL_LLM_COST_FORWARD_HEADERS": headers})


@pytest.mark.parametrize(
    ("address", "url"),
    [
        ("http://jaeger:4318", "http://jaeger:4318/v1/traces"),
        ("http://jaeger:4318/", "http://jaeger:4318/v1/traces"),
        ("https://example.com/otlp/", "https://example.com/otlp/v1/traces"),
        ("https://example.com/otlp/v1/traces", "https://example.com/otlp/v1/traces"),
        ("https://example.com:443", "https://example.com/v1/traces"),
        ("https://example.com:80", "https://example.com:80/v1/traces"),
        ("http://[::1]:4318", "http://[::1]:4318/v1/traces"),
    ],
)
def test_the_signals_path_follows_a_base_address(address: str, url: str) -> None:
    assert parse(address).url() == url


def test_grpc_has_a_port_of_its_own() -> None:
    assert parse("grpc://jaeger").authority == "jaeger:4317"
    assert parse("grpcs://jaeger:443").secure


@pytest.mark.parametrize(
    "address",
    ["", "jaeger:4317", "jaeger", "ftp://jaeger", "http://", "http://jaeger:99999", "grpc://j/path", "http://j?a=b"],
)
def test_what_is_no_address_is_refused_with_an_example(address: str) -> None:
    with pytest.raises(BadTarget, match=r"http://jaeger:4318|has no path"):
        parse(address)


def test_a_password_does_not_belong_in_an_address() -> None:
    with pytest.raises(BadTarget, match="OTEL_LLM_COST_FORWARD_HEADERS") as refused:
        parse("https://me:hunter2@example.com")
    assert "hunter2" not in str(refused.value)


def test_headers_are_percent_encoded_and_shown_to_nobody() -> None:
    target = parse("http://jaeger", " Authorization=Bearer%20s3cret , X-Scope=a=b,")
    assert target.headers == {"authorization": "Bearer s3cret", "x-scope": "a=b"}
    assert "s3cret" not in repr(target) + str(target)


@pytest.mark.parametrize("text", ["s3cret", "=s3cret", "a b=s3cret", "a=s3cret%0Aevil: 1", "a=s3cr%C3%A9t"])
def test_a_header_that_is_none_is_refused_without_showing_it(text: str) -> None:
    with pytest.raises(BadTarget, match="entry 1") as refused:
        parse("http://jaeger", text)
    assert "s3cr" not in str(refused.value)


@pytest.mark.parametrize(
    ("address", "listens"),
    [
        ("http://127.0.0.1:4318", "127.0.0.1"),
        ("http://localhost:4318", "127.0.0.1"),
        ("http://localhost:4317", "127.0.0.1"),
        ("grpc://127.0.0.1:4317", "0.0.0.0"),  # noqa: S104
        ("grpc://127.0.0.2:4317", "0.0.0.0"),  # noqa: S104
        ("grpc://0.0.0.0:4317", "127.0.0.1"),
        ("grpc://127.0.0.1:4317", "localhost"),
    ],
)
def test_ones_own_port_is_refused_and_the_remedy_named(address: str, listens: str) -> None:
    with pytest.raises(BadTarget, match=r"own port.*--grpc-port"):
        refuse_own(parse(address), listens, 4318, 4317)


@pytest.mark.parametrize(
    ("address", "listens"),
    [
        ("http://127.0.0.1:4319", "127.0.0.1"),
        ("http://127.0.0.2:4318", "127.0.0.1"),
        ("http://192.0.2.1:4318", "0.0.0.0"),  # noqa: S104  # a documentation address, nobody's
        ("http://does-not-exist.invalid:4318", "127.0.0.1"),
    ],
)
def test_other_endpoints_are_let_pass(address: str, listens: str) -> None:
    refuse_own(parse(address), listens, 4318, 4317)
