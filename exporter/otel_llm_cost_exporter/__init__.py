"""Receives OTLP, prices every GenAI span and writes it to ClickHouse."""
