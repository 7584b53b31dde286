-- The stored side of the demo's comparison: what the emulator's ledger knows, by operation and model asked for.
SELECT
    operation,
    request_model AS model,
    count() AS calls,
    countIf(c.error_type != '') AS errors,
    sum(ifNull(c.input_tokens, 0)) AS input_tokens,
    sum(ifNull(c.cache_read_tokens, 0)) AS cache_read_tokens,
    sum(ifNull(c.output_tokens, 0)) AS output_tokens,
    sum(ifNull(c.reasoning_tokens, 0)) AS reasoning_tokens
FROM llm_calls AS c
WHERE ts >= {since:DateTime64(9, 'UTC')} AND ts < {until:DateTime64(9, 'UTC')}
GROUP BY operation, model
ORDER BY operation, model
