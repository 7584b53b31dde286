"""Pricing by SQL alone: what `clickhouse/otel_traces/*.sql` has in common with the collector, written from its tables.

    python -m otel_llm_cost_exporter.sql_road            write the generated parts of the files anew
    python -m otel_llm_cost_exporter.sql_road --check    exit 1 if that would change one

The files are SQL that people wrote but for what stands between `-- generated: NAME` and `-- end`: names of attributes,
of providers, of operations, of buckets.  Each has one home in Python, and the files follow it.
"""
