"""The bicycle shop's help desk: it answers customers with OpenAI's models.

The SDK takes its address and key from OPENAI_BASE_URL and OPENAI_API_KEY.
"""

from __future__ import annotations

import asyncio
import json
import time

import openai
from openai import AsyncOpenAI, OpenAI
from pydantic import BaseModel

HANDBOOK = "You answer customers of a bicycle shop. House rules:\n" + "\n".join(
    f"{n}. A customer who asks about part number {n} is told its price, its stock and when it can be delivered."
    for n in range(1, 61)
)
QUESTIONS = [
    "Where is my order?",
    "Can I return a helmet that I have worn once?",
    "Which tyre fits a 28 inch wheel?",
    "Do you deliver to the islands?",
    "The invoice has the wrong address.",
    "My chain broke after two weeks. What now?",
]
ARTICLES = [
    "How to return goods within thirty days",
    "Sizes of tyres and wheels",
    "Delivery to islands and mountain huts",
    "Warranty on chains, brakes and gears",
    "How to change the address on an invoice",
]
PATIENCE = 60.0
"""Seconds between two looks at a batch."""


class Ticket(BaseModel):
    """What the help desk files."""

    title: str
    urgent: bool
    steps: list[str]


def support_chat(client: OpenAI) -> None:
    """A conversation under a long house text, which the provider caches."""
    history: list[openai.types.chat.ChatCompletionMessageParam] = [{"role": "system", "content": HANDBOOK}]
    for question in QUESTIONS:
        history.append({"role": "user", "content": question})
        reply = client.chat.completions.create(model="gpt-4o-mini", messages=history)
        history.append({"role": "assistant", "content": reply.choices[0].message.content or ""})


def live_answers(client: OpenAI) -> None:
    """Answers shown while they are written."""
    for question in QUESTIONS:
        stream = client.chat.completions.create(
            model="gpt-4o", messages=[{"role": "user", "content": question}], stream=True
        )
        print("".join(chunk.choices[0].delta.content or "" for chunk in stream))


def drafts(client: OpenAI) -> None:
    """Three drafts to choose from, streamed by the SDK's helper."""
    for question in QUESTIONS[:2]:
        with client.chat.completions.stream(
            model="gpt-4o-mini", messages=[{"role": "user", "content": question}], n=3
        ) as stream:
            stream.until_done()


def refund_decisions(client: OpenAI) -> None:
    """Hard cases go to a reasoning model; the last decision is read again later."""
    for question in QUESTIONS[:4]:
        decision = client.responses.create(
            model="o4-mini",
            instructions="Decide whether the customer gets a refund.",
            input=question,
            reasoning={"effort": "high"},
        )
    client.responses.retrieve(decision.id)


def letters(client: OpenAI) -> None:
    """Letters that nobody waits for, at the cheaper tier."""
    for question in QUESTIONS[:3]:
        client.responses.create(model="gpt-5-mini", input=f"Write a letter about: {question}", service_tier="flex")


def live_letters(client: OpenAI) -> None:
    """The same, streamed as typed events."""
    for question in QUESTIONS[:3]:
        with client.responses.stream(model="gpt-5-mini", input=f"Write a letter about: {question}") as stream:
            stream.get_final_response()


def tickets(client: OpenAI) -> None:
    """Free text in, a form out."""
    for question in QUESTIONS[:3]:
        form = client.chat.completions.parse(
            model="gpt-4o-mini", messages=[{"role": "user", "content": question}], response_format=Ticket
        )
        print(form.choices[0].message.parsed)


def search(client: OpenAI) -> None:
    """The article nearest to each question."""
    shelf = client.embeddings.create(model="text-embedding-3-small", input=ARTICLES)
    for question in QUESTIONS:
        asked = client.embeddings.create(model="text-embedding-3-small", input=question).data[0].embedding
        nearest = max(shelf.data, key=lambda item: sum(a * b for a, b in zip(item.embedding, asked, strict=True)))
        print(question, "→", ARTICLES[nearest.index])


async def summaries(client: AsyncOpenAI) -> None:
    """Many at once."""
    await asyncio.gather(
        *(
            client.chat.completions.create(model="gpt-4.1", messages=[{"role": "user", "content": f"Sum up: {text}"}])
            for text in (*ARTICLES, *QUESTIONS)
        )
    )


def triage(client: OpenAI) -> None:
    """On a busy day the provider asks to come again later; the SDK does."""
    for question in QUESTIONS[:2]:
        client.chat.completions.create(model="gpt-4.1-nano", messages=[{"role": "user", "content": question}])


def translation(client: OpenAI) -> None:
    """The provider stumbles once; the SDK tries again."""
    for article in ARTICLES[:2]:
        client.chat.completions.create(
            model="gpt-4.1-mini", messages=[{"role": "user", "content": f"Translate: {article}"}]
        )


def experiment(client: OpenAI) -> None:
    """A model of our own, which no public price list knows."""
    for question in QUESTIONS[:3]:
        client.chat.completions.create(model="acme-llm-1", messages=[{"role": "user", "content": question}])


def nightly_tags(client: OpenAI) -> None:
    """Keywords for every article, over night at half the price."""
    lines = [
        {
            "custom_id": f"article-{n}",
            "method": "POST",
            "url": "/v1/chat/completions",
            "body": {"model": "gpt-5-nano", "messages": [{"role": "user", "content": f"Keywords for: {article}"}]},
        }
        for n, article in enumerate(ARTICLES)
    ]
    asked = "\n".join(map(json.dumps, lines)).encode()
    file = client.files.create(file=("articles.jsonl", asked), purpose="batch")
    batch = client.batches.create(input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="24h")
    while (batch := client.batches.retrieve(batch.id)).status in ("validating", "in_progress", "finalizing"):
        time.sleep(PATIENCE)
    if batch.output_file_id:
        for line in client.files.content(batch.output_file_id).text.splitlines():
            answer = json.loads(line)
            print(answer["custom_id"], answer["response"]["body"]["choices"][0]["message"]["content"])


def typing_error(client: OpenAI) -> None:
    """A model that does not exist."""
    try:
        client.chat.completions.create(model="gpt-4o-minii", messages=[{"role": "user", "content": "Hello?"}])
    except openai.NotFoundError as error:
        print("no such model:", error.code)


def main() -> None:
    with OpenAI() as client:
        for feature in (
            support_chat,
            live_answers,
            drafts,
            refund_decisions,
            letters,
            live_letters,
            tickets,
            search,
            triage,
            translation,
            experiment,
            nightly_tags,
            typing_error,
        ):
            feature(client)
    asyncio.run(_many())


async def _many() -> None:
    async with AsyncOpenAI() as client:
        await summaries(client)
