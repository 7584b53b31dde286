"""The bicycle shop's workshop: it asks Claude about repairs.

The SDK takes its address and key from ANTHROPIC_BASE_URL and ANTHROPIC_API_KEY.
"""

from __future__ import annotations

import asyncio
import time

import anthropic
from anthropic import Anthropic, AsyncAnthropic
from anthropic.types import MessageParam, TextBlockParam

MANUAL = "You advise bicycle mechanics. The workshop's manual:\n" + "\n".join(
    f"{n}. Bolt number {n} is tightened to {n % 20 + 4} newton metres, cleaned, greased and checked after a short ride."
    for n in range(1, 81)
)
REPAIRS = [
    "The rear brake squeals when it is wet.",
    "The chain skips on the smallest sprocket.",
    "A spoke broke on the drive side.",
    "The headset is loose after a fall.",
]
PATIENCE = 60.0
"""Seconds between two looks at a batch."""


def said(message: anthropic.types.Message) -> str:
    return "".join(block.text for block in message.content if block.type == "text")


def consultation(client: Anthropic) -> None:
    """One long conversation: the manual is cached for an hour, what was said so far for some minutes."""
    manual: TextBlockParam = {"type": "text", "text": MANUAL, "cache_control": {"type": "ephemeral", "ttl": "1h"}}
    history: list[MessageParam] = []
    for repair in REPAIRS:
        asked: TextBlockParam = {"type": "text", "text": repair, "cache_control": {"type": "ephemeral"}}
        reply = client.messages.create(
            model="claude-sonnet-5-5",
            max_tokens=800,
            system=[manual],
            messages=[*history, {"role": "user", "content": [asked]}],
        )
        history += [{"role": "user", "content": repair}, {"role": "assistant", "content": said(reply)}]


def live_advice(client: Anthropic) -> None:
    """Advice read out while it is written."""
    for repair in REPAIRS:
        with client.messages.stream(
            model="claude-haiku-5-5", max_tokens=500, messages=[{"role": "user", "content": repair}]
        ) as stream:
            print("".join(stream.text_stream))


def estimates(client: Anthropic) -> None:
    """What a repair will cost takes some thinking."""
    for repair in REPAIRS[:2]:
        reply = client.messages.create(
            model="claude-opus-5-5",
            max_tokens=4000,
            thinking={"type": "adaptive"},
            messages=[{"role": "user", "content": f"Estimate hours and parts: {repair}"}],
        )
        print(said(reply))


def recalls(client: Anthropic) -> None:
    """Has the maker called anything back?  The model looks it up."""
    for part in ("brakes", "batteries"):
        with client.messages.stream(
            model="claude-sonnet-5-5",
            max_tokens=1000,
            tools=[{"type": "web_search_20250305", "name": "web_search", "max_uses": 2}],
            messages=[{"role": "user", "content": f"Which {part} were recalled this year?"}],
        ) as stream:
            print(said(stream.get_final_message()))


def fits(client: Anthropic) -> None:
    """Asked before, so that a long text does not fail: it costs nothing."""
    counted = client.messages.count_tokens(model="claude-haiku-4-5", messages=[{"role": "user", "content": MANUAL}])
    print("the manual has", counted.input_tokens, "tokens")


def second_opinion(client: Anthropic) -> None:
    """On a busy day the provider asks to come again later; the SDK does."""
    client.messages.create(
        model="claude-opus-4-5", max_tokens=300, messages=[{"role": "user", "content": f"Do you agree? {REPAIRS[0]}"}]
    )


def letters(client: Anthropic) -> None:
    """Letters to all customers whose bicycle is ready, over night at half the price."""
    batch = client.messages.batches.create(
        requests=[
            {
                "custom_id": f"letter-{n}",
                "params": {
                    "model": "claude-haiku-4-5",
                    "max_tokens": 400,
                    "messages": [{"role": "user", "content": f"Tell the customer that this is repaired: {repair}"}],
                },
            }
            for n, repair in enumerate(REPAIRS)
        ]
    )
    while client.messages.batches.retrieve(batch.id).processing_status != "ended":
        time.sleep(PATIENCE)
    for letter in client.messages.batches.results(batch.id):
        if letter.result.type == "succeeded":
            print(letter.custom_id, said(letter.result.message))


def typing_error(client: Anthropic) -> None:
    """A model that does not exist."""
    try:
        client.messages.create(model="claude-haikuu", max_tokens=9, messages=[{"role": "user", "content": "Hello?"}])
    except anthropic.NotFoundError as error:
        print("no such model:", error.type)


async def notes(client: AsyncAnthropic) -> None:
    """Many at once."""
    await asyncio.gather(
        *(
            client.messages.create(
                model="claude-haiku-5-5", max_tokens=200, messages=[{"role": "user", "content": f"Note down: {repair}"}]
            )
            for repair in REPAIRS
        )
    )


def main() -> None:
    with Anthropic() as client:
        for feature in (
            consultation,
            live_advice,
            estimates,
            recalls,
            fits,
            second_opinion,
            letters,
            typing_error,
        ):
            feature(client)
    asyncio.run(_many())


async def _many() -> None:
    async with AsyncAnthropic() as client:
        await notes(client)
