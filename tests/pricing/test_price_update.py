"""`otel-llm-cost prices update`: newer data, from the package index or what is installed, in one step or not at all."""

from __future__ import annotations

import importlib.util
import json
import logging
import lzma
import shutil
import zipfile
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from otel_llm_cost.pricing import PriceBook
from otel_llm_cost_exporter.cli.output import CommandError
from otel_llm_cost_exporter.cli.prices import app
from otel_llm_cost_exporter.prices import convert
from otel_llm_cost_exporter.prices import data as price_data
from otel_llm_cost_exporter.prices import download as price_download
from otel_llm_cost_exporter.prices.files import PriceFileError

DATA = """
from decimal import Decimal
from types import SimpleNamespace as _

model = _(
    id="brand-new", match=_(equals="brand-new"), price_comments=None, price_variants=[],
    prices=_(input_mtok=Decimal("1.50"), output_mtok=Decimal("6")),
)
providers = [_(id="openai", fallback_model_providers=None, price_comments="checked on 2027-01-02", models=[model])]
"""


@pytest.fixture
def file(own_folders: Path) -> Path:
    """Where the updated data is."""
    return own_folders / "data" / "otel-llm-cost" / "prices.json.xz"


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package index with a newer genai-prices of one model, for pip and uv alike."""
    info = "genai_prices-99.0.dist-info"
    with zipfile.ZipFile(tmp_path / "genai_prices-99.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("genai_prices/__init__.py", "")
        wheel.writestr("genai_prices/data.py", DATA)
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: genai-prices\nVersion: 99.0\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: t\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", f"genai_prices/__init__.py,,\ngenai_prices/data.py,,\n{info}/METADATA,,\n")
    for name, value in {
        "PIP_FIND_LINKS": str(tmp_path),
        "PIP_NO_INDEX": "1",
        "UV_FIND_LINKS": str(tmp_path),
        "UV_OFFLINE": "1",
        "UV_CACHE_DIR": str(tmp_path / "cache"),
    }.items():
        monkeypatch.setenv(name, value)
    return tmp_path


def update(*arguments: str) -> dict[str, Any]:
    result = CliRunner().invoke(app, ["update", *arguments, "--json"], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    told: dict[str, Any] = json.loads(result.output)
    return told


def newer_data() -> dict[str, Any]:
    raw: dict[str, Any] = json.loads(lzma.decompress(price_data.packaged_file().read_bytes()))
    return {**raw, "source": "genai-prices 98.0"}


has_installer = pytest.mark.skipif(
    not (importlib.util.find_spec("pip") or shutil.which("uv")), reason="neither pip nor uv is here"
)


@has_installer
def test_newer_data_is_fetched_and_used_from_then_on(index: Path, file: Path) -> None:
    told = update("--download")
    assert (told["written"], told["in_use"]) == (str(file), "genai-prices 99.0")
    assert told["changes"]["new"] == [{"provider": "openai", "model": "brand-new"}]
    assert {"provider": "openai", "model": "gpt-4o"} in told["changes"]["gone"]
    book = price_data.load_book()
    assert (book.source, list(book.models("openai"))) == ("genai-prices 99.0", ["brand-new"])
    assert [path.name for path in file.parent.iterdir()] == [file.name]


@has_installer
def test_an_index_without_the_package_is_told_without_its_password(
    index: Path, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (index / "genai_prices-99.0-py3-none-any.whl").unlink()
    monkeypatch.setenv("PIP_INDEX_URL", "http://me:secret@127.0.0.1:9/simple")
    with pytest.raises(CommandError, match="prices are as they were: genai-prices could not be fetched") as raised:
        update("--download")
    assert "secret" not in str(raised.value)
    assert not file.exists()


def test_with_neither_pip_nor_uv_a_remedy_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    monkeypatch.setattr("shutil.which", lambda _: None)
    with pytest.raises(CommandError, match=r"neither pip nor uv.*pip install"):
        update("--download")


def test_an_installed_package_that_is_newer_is_written_down(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(convert, "installed_version", lambda _: "98.0")
    told = update("--dry-run")
    assert (told["offered"], told["written"], file.exists()) == ("genai-prices 98.0", None, False)
    told = update()
    assert (told["written"], told["in_use"]) == (str(file), "genai-prices 98.0")
    assert (told["changes"]["changed"], told["changes"]["new"], told["changes"]["gone"]) == ([], [], [])
    assert update()["changes"] is None


def test_the_newest_of_packaged_updated_and_installed_is_used(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert price_data.load_prices().data == "packaged"
    price_download.write_data(file, newer_data())
    assert price_data.load_prices().data == "updated"
    monkeypatch.setattr(convert, "installed_version", lambda _: "99.0")
    assert price_data.load_prices().data == "installed"
    price_download.write_data(file, {**newer_data(), "source": "genai-prices 0.0.1"})
    monkeypatch.setattr(convert, "installed_version", lambda _: "0.0.2")
    assert price_data.load_prices().data == "packaged"


@pytest.mark.parametrize("damage", [b"", b"no xz", b"cut", b"other"])
def test_a_damaged_file_is_an_error_that_update_mends(file: Path, damage: bytes) -> None:
    price_download.write_data(file, newer_data())
    whole = file.read_bytes()
    file.write_bytes({b"cut": whole[:1000], b"other": lzma.compress(b"[1]")}.get(damage, damage))
    with pytest.raises(PriceFileError, match=r"prices\.json\.xz.*prices update --download, or delete"):
        price_data.load_book()
    assert "prices.json.xz" in update("--dry-run")["problem"]
    assert update()["removed"] == str(file)
    assert price_data.load_book().source == PriceBook.vendored().source


def test_a_file_of_another_schema_is_left_aside_and_told(file: Path, caplog: pytest.LogCaptureFixture) -> None:
    price_download.write_data(file, {**newer_data(), "schema": 7})
    with caplog.at_level(logging.WARNING):
        assert price_data.load_prices().data == "packaged"
    assert "is of schema 7, not 1, and is left aside" in caplog.text


def test_a_file_is_replaced_in_one_step(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    price_download.write_data(file, newer_data())
    before = file.read_bytes()
    monkeypatch.setattr("os.fsync", _no_space)
    with pytest.raises(PriceFileError, match="cannot be written: No space left"):
        price_download.write_data(file, {**newer_data(), "source": "genai-prices 99.0"})
    assert [path.read_bytes() for path in file.parent.iterdir()] == [before]


def _no_space(_: int) -> None:
    raise OSError(28, "No space left on device")


def test_data_that_cannot_be_read_is_not_accepted() -> None:
    raw = newer_data()
    raw["providers"] = {"openai": {"fallback": [], "models": [["m", None, [[None, {"input": "1"}]], []]]}}
    with pytest.raises(ValueError, match="not of schema 1"):
        price_download.checked(raw)
    with pytest.raises(ValueError, match="no models"):
        price_download.checked({**raw, "providers": {}})
