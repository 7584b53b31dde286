"""`python -m otel_llm_cost_exporter.cli`."""

from . import main

if __name__ == "__main__":
    main()
