"""`otel-llm-cost prices load`: the prices into the store, for what-if panels and for pricing by SQL alone."""

from __future__ import annotations

from rich.text import Text

from otel_llm_cost_exporter.config import DEFAULT_STORE

from .output import JsonOption, StoreOption, emit
from .prices_common import OverlayOption, prices_in_force


def load(store: StoreOption = DEFAULT_STORE, overlay: OverlayOption = None, as_json: JsonOption = False) -> None:
    """Put the prices into the store, with every model name that calls have had.

    Run it again after an update of prices and, from cron, for names that are new; the same again changes nothing.
    """
    from otel_llm_cost_exporter.prices.table import load as load_prices  # noqa: PLC0415  # an optional dependency
    from otel_llm_cost_exporter.store import Store  # noqa: PLC0415  # see above

    book = prices_in_force(overlay).book()
    with Store.open(store) as opened:
        loaded = load_prices(opened, book)
    said = f"{loaded.price_version} is in force" + ("" if loaded.new else " as before")
    told = f"{said} (load {loaded.load}): {loaded.sheets} price sheets and {loaded.names} model names were added."
    emit(loaded, as_json, lambda: Text(told))
