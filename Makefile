# Everything runs in ./.venv, made from uv.lock.  Where uv is not installed, one is fetched into ./.uv.
UV := $(shell command -v uv 2>/dev/null || echo .uv/bin/uv)
RUN := $(UV) run --frozen --no-sync
SYNC := .venv/.synced

.DEFAULT_GOAL := help
.PHONY: help demo test check integration legacy versions frameworks dialects coverage bench soak recordings prices picture format clean

help:  ## what there is
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

.uv/bin/uv:
	python3 -m venv .uv && .uv/bin/python -m pip install --quiet uv

$(SYNC): pyproject.toml uv.lock $(if $(findstring .uv/,$(UV)),.uv/bin/uv)
	$(UV) sync --frozen --quiet
	@touch $@

demo: $(SYNC)  ## an ordinary program, a provider on this machine, a cost in SQL: no key, no Docker, no network
	.venv/bin/otel-llm-cost demo

test: $(SYNC)  ## the fast tests
	$(RUN) pytest -q -n auto -m "not integration"

check: $(SYNC)  ## style, types, who imports whom, generated files
	$(RUN) ruff check .
	$(RUN) ruff format --check .
	$(RUN) mypy
	$(RUN) lint-imports --no-cache
	$(RUN) python -m otel_llm_cost_exporter.prices.data --check
	$(RUN) python -m otel_llm_cost_exporter.sql_road --check
	$(RUN) python -m otel_llm_cost_exporter.observe --check
	$(RUN) python -m tests.doors --check
	$(UV) lock --check --quiet

frameworks: $(SYNC)  ## frameworks and other instrumentations over ours: one bill; each in its own environment
	$(RUN) python tests/frameworks/run.py

dialects: $(SYNC)  ## the spans of other instrumentations alone: what is priced right; each in its own environment
	$(RUN) python -m tests.dialects.run

coverage: $(SYNC)  ## what is seen of each call: docs/coverage.md, from the tests
	$(RUN) python -m tests.doors

integration: $(SYNC)  ## the slow tests
	$(RUN) pytest -q -n auto -m integration

ISOLATED := $(UV) run --isolated --no-project --python 3.11 --with pytest --with pytest-asyncio

legacy: $(SYNC)  ## the retired Google SDKs, each in an environment of its own
	$(ISOLATED) --with '.[google-legacy]' pytest -q tests/legacy/test_generativeai.py
	$(ISOLATED) --with '.[vertexai]' pytest -q tests/legacy/test_vertexai.py

versions: $(SYNC)  ## every supported version of each SDK, each in an environment of its own
	$(RUN) python tests/versions/run.py

bench: $(SYNC)  ## what it costs: per call and chunk beside peers, per span to stored rows
	$(RUN) python -m benchmarks.instrumentation
	$(RUN) python -m benchmarks.collector
	$(RUN) python -m benchmarks.journal
	$(RUN) python -m benchmarks.query
	$(RUN) python -m benchmarks.service
	$(RUN) python -m benchmarks.service --million
	$(RUN) python -m benchmarks.pricing
	$(RUN) python -m benchmarks.sql_road

soak: $(SYNC)  ## ten minutes of the collector at half its peak: memory must stay flat
	$(RUN) python -m benchmarks.service --soak 10

recordings: $(SYNC)  ## recorded provider traffic through the real SDK (needs LLM_RECORDINGS=folder)
	$(RUN) python -m benchmarks.recordings

prices: $(SYNC)  ## regenerate the vendored price data from the installed genai-prices
	$(RUN) python -m otel_llm_cost_exporter.prices.data

picture: $(SYNC)  ## draw docs/report.svg anew from a demo's store
	$(RUN) python docs/picture.py

format: $(SYNC)  ## format and mend what can be mended
	$(RUN) ruff format .
	$(RUN) ruff check --fix .

clean:  ## remove what was made here
	rm -rf .venv .uv .demo .mypy_cache .ruff_cache .pytest_cache .hypothesis dist build
