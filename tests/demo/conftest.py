from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from anthropic import Anthropic
from google import genai
from openai import OpenAI

from otel_llm_cost_exporter.demo.emulator import Emulator

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with Emulator() as running:
        yield running


@pytest.fixture
def client(emulator: Emulator) -> Iterator[OpenAI]:
    with OpenAI(base_url=emulator.base_url, api_key="any") as sdk:
        yield sdk


@pytest.fixture
def claude(emulator: Emulator) -> Iterator[Anthropic]:
    with Anthropic(base_url=emulator.origins["anthropic"], api_key="any") as sdk:
        yield sdk


@pytest.fixture
def gemini(emulator: Emulator) -> Iterator[genai.Client]:
    options = genai.types.HttpOptions(base_url=emulator.origins["gcp.gemini"])
    with genai.Client(api_key="any", vertexai=False, http_options=options) as sdk:
        yield sdk
