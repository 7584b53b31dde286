-- Calls that `settle` took out of the rollup and has not marked.
SELECT count() AS calls
FROM llm_calls
WHERE counted AND (trace_id, span_id, received_at) IN (SELECT trace_id, span_id, received_at FROM llm_calls_set_aside)
