"""The bicycle shop's catalogue: Gemini writes and searches it.

The SDK takes its address and key from GOOGLE_GEMINI_BASE_URL and GEMINI_API_KEY.
"""

from __future__ import annotations

import asyncio
import base64

from google import genai
from google.genai import errors, types

STYLE = "You write the catalogue of a bicycle shop. How we write:\n" + "\n".join(
    f"{n}. Part number {n} is described in two plain sentences, with its weight, its size and what it fits."
    for n in range(1, 71)
)
BICYCLES = [
    "a city bicycle with eight gears",
    "a folding bicycle for the train",
    "a cargo bicycle with a motor",
    "a racing bicycle made of steel",
    "a bicycle for children of six",
]
PHOTO = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg=="
)
SEARCH = types.GenerateContentConfig(tools=[types.Tool(google_search=types.GoogleSearch())])
READ = types.GenerateContentConfig(tools=[types.Tool(url_context=types.UrlContext())])
AGAIN = types.HttpRetryOptions(attempts=3, initial_delay=0.1, jitter=0.0)


def descriptions(client: genai.Client) -> None:
    """The same long rules before every description; the provider remembers them."""
    for bicycle in BICYCLES:
        reply = client.models.generate_content(
            model="gemini-2.5-flash",
            contents=f"Describe {bicycle}.",
            config=types.GenerateContentConfig(system_instruction=STYLE),
        )
        print(reply.text)


def live_descriptions(client: genai.Client) -> None:
    """Shown while they are written."""
    for bicycle in BICYCLES[:3]:
        stream = client.models.generate_content_stream(model="gemini-3.5-flash", contents=f"Praise {bicycle}.")
        print("".join(chunk.text or "" for chunk in stream))


def adviser(client: genai.Client) -> None:
    """A customer asks, and asks again."""
    chat = client.chats.create(model="gemini-2.5-flash-lite")
    chat.send_message("Which bicycle do I need for ten kilometres a day?")
    for chunk in chat.send_message_stream("And if it rains?"):
        print(chunk.text, end="")
    print()


def market(client: genai.Client) -> None:
    """What others charge is looked up, what they write is read."""
    client.models.generate_content(model="gemini-2.5-pro", contents=f"What does {BICYCLES[2]} cost?", config=SEARCH)
    client.models.generate_content(model="gemini-2.5-pro", contents="Sum up https://shop.example/cargo", config=READ)


def photos(client: genai.Client) -> None:
    """A text for those who cannot see the picture."""
    picture = types.Part.from_bytes(data=PHOTO, mime_type="image/png")
    client.models.generate_content(model="gemini-2.5-flash", contents=[picture, "What is in this picture?"])


def search(client: genai.Client) -> None:
    """The bicycle nearest to a wish."""
    size = types.EmbedContentConfig(output_dimensionality=256)
    shelf = client.models.embed_content(model="gemini-embedding-001", contents=list(BICYCLES), config=size)
    wish = client.models.embed_content(model="gemini-embedding-001", contents="small and light", config=size)
    asked = (wish.embeddings or [])[0].values or []
    nearness = [sum(a * b for a, b in zip(each.values or [], asked, strict=True)) for each in shelf.embeddings or []]
    print("small and light →", BICYCLES[nearness.index(max(nearness))])


def fits(client: genai.Client) -> None:
    """Asked before, so that a long text does not fail: it costs nothing."""
    print("the rules have", client.models.count_tokens(model="gemini-2.5-flash", contents=STYLE).total_tokens, "tokens")


def stock(client: genai.Client) -> None:
    """On a busy day the provider asks to come again later; this call does."""
    config = types.GenerateContentConfig(http_options=types.HttpOptions(retry_options=AGAIN))
    client.models.generate_content(model="gemini-2.0-flash", contents=f"How many of {BICYCLES[0]}?", config=config)


def typing_error(client: genai.Client) -> None:
    """A model that does not exist."""
    try:
        client.models.generate_content(model="gemini-2.5-flashh", contents="Hello?")
    except errors.ClientError as error:
        print("no such model:", error.status)


async def translations(client: genai.Client) -> None:
    """Many at once."""
    await asyncio.gather(
        *(
            client.aio.models.generate_content(model="gemini-2.5-flash-lite", contents=f"In Italian: {bicycle}")
            for bicycle in BICYCLES
        )
    )


def main() -> None:
    with genai.Client() as client:
        for feature in (
            descriptions,
            live_descriptions,
            adviser,
            market,
            photos,
            search,
            fits,
            stock,
            typing_error,
        ):
            feature(client)
    asyncio.run(_many())


async def _many() -> None:
    client = genai.Client()
    await translations(client)
    await client.aio.aclose()
