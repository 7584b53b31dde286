"""What two prompts have in common, and what a cut stream is guessed to have used."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from otel_llm_cost.content import Prompt, Said, assembled, texts
from otel_llm_cost.fingerprint import fingerprint
from otel_llm_cost.record import Response, Usage
from otel_llm_cost.seen import Seen, completed_by_estimate, prompt_tokens

counts = st.none() | st.integers(0, 9)
words = st.lists(st.text(st.characters(exclude_categories=["Cs", "Z", "Cc"]), min_size=1), min_size=1)


@given(words)
def test_case_and_white_space_do_not_tell_prompts_apart(said: list[str]) -> None:
    assert fingerprint([" ".join(said)]) == fingerprint(["\n  ".join(said) + "\t"])
    assert fingerprint(["WHERE is It"]) == fingerprint(["where IS it"])


@given(words, words)
def test_different_words_do(one: list[str], other: list[str]) -> None:
    same = [w for text in one for w in text.casefold().split()] == [
        w for text in other for w in text.casefold().split()
    ]
    assert (fingerprint([" ".join(one)]) == fingerprint([" ".join(other)])) is same


def test_where_one_text_ends_and_the_next_begins_counts() -> None:
    assert fingerprint(["a", "b c"]) != fingerprint(["a b", "c"])


def test_a_prompt_without_text_has_no_fingerprint() -> None:
    assert fingerprint([]) is None
    assert fingerprint([""]) is None


def test_only_equal_keys_compare() -> None:
    assert fingerprint(["x"], b"k") == fingerprint(["x"], b"k") != fingerprint(["x"])


def test_a_long_text_is_told_by_its_ends_and_its_length() -> None:
    long = "a" * 100_000
    assert fingerprint([long]) == fingerprint([long])
    assert fingerprint([long]) != fingerprint([long + "a"])
    assert fingerprint([long + "end"]) != fingerprint([long + "END."])


def test_every_text_of_a_prompt_counts() -> None:
    prompt = Prompt(
        [{"type": "text", "content": "be brief"}],
        [
            {"role": "user", "parts": [{"type": "text", "content": "hi"}, {"type": "blob", "mime_type": "image/png"}]},
            {"role": "tool", "parts": [{"type": "tool_call_response", "id": "1", "response": "42"}]},
        ],
    )
    assert list(texts(prompt)) == ["be brief", "hi", "42"]


def said(text: str, number: int = 0) -> Said:
    return Said(index=number, kind="text", text=text)


def test_pieces_of_a_stream_make_whole_messages() -> None:
    pieces = [
        Said(0, "reasoning", "hm"),
        said("Os"),
        said("lo"),
        said("Bergen", 1),
        Said(0, "tool_call", "", id="c1", name="find"),
        Said(0, "tool_call", '{"q"'),
        Said(0, "tool_call", ":1}"),
        Said(0, "tool_call", "{}", id="c2", name="stop"),
    ]
    first, second = assembled(pieces, "stop")
    assert first["parts"] == [
        {"type": "reasoning", "content": "hm"},
        {"type": "text", "content": "Oslo"},
        {"type": "tool_call", "arguments": '{"q":1}', "id": "c1", "name": "find"},
        {"type": "tool_call", "arguments": "{}", "id": "c2", "name": "stop"},
    ]
    assert second == {"role": "assistant", "parts": [{"type": "text", "content": "Bergen"}], "finish_reason": "stop"}


def test_four_bytes_are_a_token_and_what_was_not_kept_is_taken_to_be_alike() -> None:
    seen = Seen(lambda pieces: [said(piece) for piece in pieces], limit=100)
    for _ in range(10):
        seen.add("x" * 40, 40)
    assert seen.output_tokens() == 100
    assert prompt_tokens(["äöü", "abc"]) == 3


@given(st.builds(Usage, input_tokens=counts, output_tokens=counts, estimated=st.none()))
def test_what_the_provider_said_is_never_replaced_by_a_guess(usage: Usage) -> None:
    guessed = completed_by_estimate(Response(usage=usage), 7, 8).usage
    assert guessed is not None
    assert guessed.input_tokens == (7 if usage.input_tokens is None else usage.input_tokens)
    assert guessed.output_tokens == (8 if usage.output_tokens is None else usage.output_tokens)
    assert guessed.estimated is True
    assert "output_tokens" in (guessed.estimated_counts or ())  # the middle of a stream has not the last word
    assert ("input_tokens" in (guessed.estimated_counts or ())) is (usage.input_tokens is None)


def test_nothing_seen_is_nothing_guessed() -> None:
    assert completed_by_estimate(Response(), None, 0) == Response()
