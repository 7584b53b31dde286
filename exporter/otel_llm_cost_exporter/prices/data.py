"""Which prices are in force: the newest data there is, laid over by the overlay files.

    python -m otel_llm_cost_exporter.prices.data            write the packaged file from the installed genai-prices
    python -m otel_llm_cost_exporter.prices.data --check    exit 1, with a summary, if that would change it

The data is the newest of three: the packaged file, the file that `otel-llm-cost prices update` wrote, an installed
genai-prices.  Of two as new the earlier named is used.  `load_book` is what everything here prices with.

A damaged updated file is an error and not passed over: whoever ran the update means its prices, and to use others
with no more than a line in a log would put wrong costs into the store.  One that another version of this package
wrote, in a shape not understood here, is left aside with a warning: it is what an upgrade of the package leaves
behind, and brings newer data itself.
"""

from __future__ import annotations

import argparse
import json
import logging
import lzma
import os
import re
import sys
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any, Final, NamedTuple

import otel_llm_cost.pricing
from otel_llm_cost.pricing import Overlay, PriceBook
from otel_llm_cost.pricing.catalogue import DATA_FILE, SCHEMA, Catalogue

from .convert import PACKAGE, convert, encode, installed
from .files import ENVIRONMENT, OverlayFile, PriceFileError, is_there, overlay_files, read_overlay, xdg_folder

__all__ = [
    "ENVIRONMENT",
    "PACKAGE",
    "Prices",
    "convert",
    "encode",
    "installed",
    "installed_if_newer",
    "load_book",
    "load_prices",
    "main",
    "packaged_file",
    "read_data",
    "read_overlay",
    "updated_data",
    "updated_file",
]

_log = logging.getLogger(__name__)

_UPDATE: Final = "Run otel-llm-cost prices update --download, or delete the file."


class Prices(NamedTuple):
    """Everything that a price may come from: the data, and in rising rank what lies over it."""

    catalogue: Catalogue
    overlays: tuple[Overlay, ...]
    files: tuple[OverlayFile, ...] = ()
    data: str = "packaged"
    """Which data it is: packaged, updated or installed."""

    def book(self) -> PriceBook:
        return PriceBook(self.catalogue, self.overlays)


def load_book(
    overlay: Path | None = None, environ: Mapping[str, str] = os.environ, directory: Path | None = None
) -> PriceBook:
    """The prices in force for a process in `directory` (the working directory), under one more overlay if given.

    Raises PriceFileError, a ValueError, naming file, line, field and remedy if any file cannot be used.
    """
    return load_prices(overlay, environ, directory).book()


def load_prices(
    overlay: Path | None = None, environ: Mapping[str, str] = os.environ, directory: Path | None = None
) -> Prices:
    """As `load_book`, with what the book is made of."""
    which, catalogue = newest_data(environ)
    files = overlay_files(overlay, environ, directory)
    for file in files:
        _log.info("prices: %s overlay %s", file.origin, file.path)
    overlays = (Overlay.vendored(), *(read_overlay(file.path, file.origin) for file in files))
    return Prices(catalogue, overlays, files, which)


def newest_data(environ: Mapping[str, str] = os.environ) -> tuple[str, Catalogue]:
    """Which data is the newest, and the data."""
    which, best = "packaged", Catalogue.vendored()
    if (updated := updated_data(environ)) and newer(updated.source, best.source):
        which, best = "updated", updated
    if installed_if_newer(best.source):
        which, best = "installed", Catalogue.decode(convert())
    if which != "packaged":
        _log.info("prices: the %s data, %s, is newer than what is packaged and is used", which, best.source)
    return which, best


def packaged_file() -> Path:
    """Where the packaged data is, in a source tree or an installation."""
    return Path(otel_llm_cost.pricing.__file__).parent / "data" / DATA_FILE


def updated_file(environ: Mapping[str, str] = os.environ) -> Path | None:
    """Where `prices update` writes: $XDG_DATA_HOME/otel-llm-cost, ~/.local/share without the variable."""
    folder = xdg_folder(environ, "XDG_DATA_HOME", ".local/share")
    return folder and folder / DATA_FILE


def updated_data(environ: Mapping[str, str] = os.environ) -> Catalogue | None:
    """What `prices update` wrote, if it is understood.  Raises PriceFileError if it is damaged."""
    path = updated_file(environ)
    if path is None or not is_there(path):
        return None
    raw = read_data(path)
    if raw.get("schema") != SCHEMA:
        _log.warning("%s is of schema %s, not %s, and is left aside. %s", path, raw.get("schema"), SCHEMA, _UPDATE)
        return None
    return Catalogue.decode(raw)


def read_data(path: Path) -> dict[str, Any]:
    """A data file in its JSON shape, of whatever schema.  Raises PriceFileError if it is none or is damaged."""
    try:
        raw = json.loads(lzma.decompress(path.read_bytes()))
    except OSError as error:
        raise PriceFileError(f"{path}: {error.strerror or error}.") from error
    except (lzma.LZMAError, ValueError, EOFError) as error:
        raise PriceFileError(f"{path} is damaged or holds no price data ({error}). {_UPDATE}") from error
    if not isinstance(raw, dict) or "schema" not in raw:
        raise PriceFileError(f"{path} holds no price data. {_UPDATE}")
    return raw


def installed_if_newer(source: str) -> str | None:
    """The installed version, if it is above the one that data was made from ("genai-prices 0.2.3")."""
    here = installed()
    return here if here is not None and newer(here, source) else None


def newer(source: str, other: str) -> bool:
    """Whether data was made from a later version than other data."""
    return _order(source) > _order(other)


def _order(source: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", source.rpartition(" ")[2])[:4])


def summary(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """What is different between two data files, in lines for people."""
    lines = [f"{key}: {old.get(key)} → {new[key]}" for key in ("source", "date", "schema") if old.get(key) != new[key]]
    before, after = (
        {
            (name, model[0]): model
            for name, provider in data.get("providers", {}).items()
            for model in provider["models"]
        }
        for data in (old, new)
    )
    lines += [f"new: {name} {model}" for name, model in sorted(after.keys() - before.keys())]
    lines += [f"gone: {name} {model}" for name, model in sorted(before.keys() - after.keys())]
    return lines + [f"changed: {n} {m}" for n, m in sorted(before.keys() & after.keys()) if before[n, m] != after[n, m]]


def main(arguments: list[str] | None = None) -> int:
    """Write the packaged file, or compare it.  Returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m otel_llm_cost_exporter.prices.data", description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; exit 1 if the file would change")
    check: bool = parser.parse_args(arguments).check
    path, new = packaged_file(), convert()
    old = json.loads(lzma.decompress(path.read_bytes())) if path.exists() else {}
    # compared by content: another release of liblzma may compress the same data to other bytes
    if json.dumps(old) == json.dumps(new):
        _log.info("%s is up to date with %s", path, new["source"])
        return 0
    for line in summary(old, new)[:50]:
        _log.warning("%s", line)
    if check:
        _log.error("%s is not what %s gives: run without --check and commit it", path, new["source"])
        return 1
    path.write_bytes(encode(new))
    _log.info("wrote %s (%d bytes, %s, %s)", path, path.stat().st_size, new["source"], date.fromisoformat(new["date"]))
    return 0


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    sys.exit(main())
