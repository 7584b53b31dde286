"""Newer price data from the package index, without touching what is installed.

The newest genai-prices is put into a temporary folder by pip or uv, whichever there is, from whatever index they are
configured for; wheels only, so that nothing is built here.  A process of its own converts it, because this one may
have another version of it loaded.  The result is written where `data` looks for it, in one step: a process
that starts meanwhile reads the old file or the new one.
"""

from __future__ import annotations

import importlib.util
import json
import logging
import lzma
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from otel_llm_cost.pricing.catalogue import SCHEMA, Catalogue

from .convert import PACKAGE, encode
from .files import PriceFileError

_log = logging.getLogger(__name__)

_PATIENCE: Final = 300.0
"""Seconds for the index to answer: the package has dependencies of several MB."""
_PASSWORD: Final = re.compile(r"//[^/@\s]+@")


class DownloadError(Exception):
    """No data could be had; the text says why and what to do."""


def download() -> dict[str, Any]:
    """The newest data that the configured package index has, in its JSON shape, checked."""
    with tempfile.TemporaryDirectory(prefix="otel-llm-cost-prices-") as folder:
        _run([*_installer(), "--target", folder, "--upgrade", "--only-binary", ":all:", PACKAGE])
        search = os.pathsep.join([folder, *filter(None, sys.path)])
        data = _run(
            [sys.executable, "-P", "-m", "otel_llm_cost_exporter.prices.convert"], {**os.environ, "PYTHONPATH": search}
        )
    try:
        return checked(json.loads(lzma.decompress(data)))
    except (lzma.LZMAError, ValueError) as error:
        raise DownloadError(f"what {PACKAGE} was converted to is not usable: {error}") from error


def _installer() -> list[str]:
    """pip of this interpreter, or uv."""
    if importlib.util.find_spec("pip"):
        return [sys.executable, "-m", "pip", "install", "--quiet", "--no-input", "--disable-pip-version-check"]
    if uv := shutil.which("uv"):
        return [uv, "pip", "install", "--quiet", "--python", sys.executable]
    raise DownloadError(
        f"neither pip nor uv is here to fetch {PACKAGE} with.  Install one of them, or where they are:"
        f" pip install --upgrade {PACKAGE}; then: otel-llm-cost prices update"
    )


def _run(command: Sequence[str], environ: Mapping[str, str] | None = None) -> bytes:
    _log.info("running %s", " ".join(command[:4]))
    try:
        done = subprocess.run(command, capture_output=True, check=False, timeout=_PATIENCE, env=environ)  # noqa: S603  # our own words
    except subprocess.TimeoutExpired as error:
        raise DownloadError(f"the package index did not answer within {_PATIENCE:.0f} s: is it reachable?") from error
    except OSError as error:
        raise DownloadError(f"{command[0]} cannot be run: {error.strerror}") from error
    if done.returncode:
        said = [line.strip() for line in done.stderr.decode(errors="replace").splitlines() if line.strip()]
        last = _PASSWORD.sub("//***@", " ".join(said[-3:])) or f"exit status {done.returncode}"
        raise DownloadError(f"{PACKAGE} could not be fetched: {last}")
    return done.stdout


def checked(raw: dict[str, Any]) -> dict[str, Any]:
    """Data that every model of which can be read.  Raises ValueError."""
    try:
        catalogue = Catalogue.decode(raw)
        models = [model for provider in catalogue.providers.values() for model in provider]
        steps = [step for m in models for p in (*m.prices, *m.variants) for rate in p.rates.values() for step in rate]
    except (KeyError, TypeError, IndexError, AttributeError) as error:
        raise ValueError(f"not of schema {SCHEMA} ({type(error).__name__}: {error})") from error
    if not models or not all(type(number) is int and number >= 0 for step in steps for number in step):
        raise ValueError(f"not of schema {SCHEMA}: no models, or a rate that is no whole number")
    return raw


def write_data(path: Path, raw: Mapping[str, Any]) -> None:
    """Write a data file in one step.  Raises PriceFileError if it cannot be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, beside = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(encode(raw))
                file.flush()
                os.fsync(file.fileno())
            Path(beside).chmod(0o644)
            Path(beside).replace(path)
        except BaseException:
            Path(beside).unlink(missing_ok=True)
            raise
    except OSError as error:
        remedy = "$XDG_DATA_HOME names another place for it."
        raise PriceFileError(f"{path} cannot be written: {error.strerror or error}. {remedy}") from error
