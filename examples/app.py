"""The programs of a bicycle shop, as any team might have them: a help desk, a workshop, a catalogue.

They know nothing of tracing or cost.  Run this as it is, or under `opentelemetry-instrument`; each SDK takes its
address and key from the environment.
"""

from __future__ import annotations

from importlib import import_module

PARTS = ("helpdesk", "workshop", "catalogue")


def main() -> None:
    for name in PARTS:
        try:
            part = import_module(name)
        except ImportError as missing:
            print(f"{name} is left out: {missing}")
        else:
            part.main()


if __name__ == "__main__":
    main()
