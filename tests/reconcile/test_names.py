from __future__ import annotations

import pytest

from otel_llm_cost_exporter.reconcile.names import meet


@pytest.mark.parametrize(
    ("ours", "theirs", "met"),
    [
        (["gpt-4o"], ["gpt-4o-2024-08-06"], {"gpt-4o": "gpt-4o-2024-08-06"}),
        (["gpt-4o-2024-08-06"], ["gpt-4o"], {"gpt-4o-2024-08-06": "gpt-4o"}),
        (["gpt-4o"], ["gpt-4o", "gpt-4o-2024-08-06"], {"gpt-4o": "gpt-4o"}),
        (
            ["gpt-4o", "gpt-4o-2024-08-06"],
            ["gpt-4o-2024-08-06"],
            {"gpt-4o": "gpt-4o", "gpt-4o-2024-08-06": "gpt-4o-2024-08-06"},
        ),
        (["gpt-4o-2024-08-06"], ["gpt-4o-2024-11-20"], {"gpt-4o-2024-08-06": "gpt-4o-2024-08-06"}),
        (["gpt-4o"], ["gpt-4o-2024-08-06", "gpt-4o-2024-11-20"], {"gpt-4o": "gpt-4o-2024-11-20"}),
        (["claude-haiku-4-5-20251001"], ["claude-haiku-4-5"], {"claude-haiku-4-5-20251001": "claude-haiku-4-5"}),
        (["GPT-4o"], ["gpt-4o"], {"GPT-4o": "gpt-4o"}),
        (["openai/gpt-4o"], ["gpt-4o"], {"openai/gpt-4o": "gpt-4o"}),
        (
            ["ft:gpt-4o:acme::1", "ft:gpt-4o:acme::2"],
            ["ft:gpt-4o"],
            {f"ft:gpt-4o:acme::{n}": "ft:gpt-4o" for n in "12"},
        ),
        (["ft:gpt-4o:acme::1"], ["gpt-4o"], {"ft:gpt-4o:acme::1": "ft:gpt-4o:acme::1"}),
        (["o3"], [], {"o3": "o3"}),
    ],
)
def test_names_meet_the_nearest_one(ours: list[str], theirs: list[str], met: dict[str, str]) -> None:
    assert meet(ours, theirs) == met
