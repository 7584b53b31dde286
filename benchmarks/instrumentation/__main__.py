"""Added microseconds per call and per chunk over the bare SDK, next to peers, in one interleaved run with no network.

    python -m benchmarks.instrumentation [--sdk openai,anthropic,google] [--rounds 40] [--calls 40] [--json]

Spans and metrics are on and thrown away.  Bare and peers run with the Anthropic SDK's own spans off, so that nobody is
charged for them; ours runs as a program has it, with whatever it does about them; and they are a variant themselves.
"""

from __future__ import annotations

import argparse
import json
from typing import Any

from benchmarks.instrumentation.measure import Figures, measure
from benchmarks.peers import ABSENT, BARE, SDKS, Variant, chosen, label


def table(sdk: str, variants: list[Variant], figures: Figures, spans: dict[str, float]) -> str:
    """Variants as lines, measured things as columns."""
    columns = list(figures)
    head = f"{SDKS[sdk]}, added µs" + " " * 60
    lines = [head[:62] + "".join(f"{name:>13}" for name in columns) + f"{'spans':>7}"]
    for each in variants:
        if each.name not in spans:
            lines.append(f"  {label(each, sdk):60}  its process ended: nothing measured")
            continue
        cells = "".join(f"{figures[name][each.name]:13.2f}" for name in columns)
        name = f"{label(each, sdk)} (takes)" if each is BARE else label(each, sdk)
        lines.append(f"  {name:60}{cells}{spans[each.name]:7.1f}")
    lines += [f"  {name} cannot be measured: {why}" for name, why in ABSENT.get(sdk, {}).items()]
    return "\n".join(lines)


def main() -> None:
    """Print the tables."""
    options = _options()
    found: dict[str, Any] = {}
    for sdk in options.sdk:
        variants = chosen(sdk, peers=not options.no_peers, wrappers=True)
        figures, spans = measure(sdk, variants, options.rounds, options.calls)
        labels = {each.name: label(each, sdk) for each in variants}
        found[sdk] = {"microseconds": figures, "spans": spans, "labels": labels}
        if not options.json:
            print(f"\nMedian of {options.rounds} paired rounds, processor time, metrics on, no network")
            print(table(sdk, variants, figures, spans), flush=True)
    if options.json:
        print(json.dumps(found))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sdk", type=lambda listed: listed.split(","), default=list(SDKS))
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--calls", type=int, default=40)
    parser.add_argument("--no-peers", action="store_true")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    main()
