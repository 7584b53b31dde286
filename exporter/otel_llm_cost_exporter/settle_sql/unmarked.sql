-- What an earlier run took out of the rollup, or was about to, and did not mark: its last parts, as they were.
SELECT * EXCEPT (set_aside_at, ts, received_at),
    toUnixTimestamp64Milli(a.set_aside_at) AS set_aside_at,
    toUnixTimestamp64Milli(a.received_at) AS received_at,
    toUnixTimestamp64Nano(a.ts) AS ts
FROM llm_calls_set_aside AS a
WHERE a.set_aside_at IN
(
    SELECT set_aside_at FROM llm_calls_set_aside
    WHERE (trace_id, span_id, received_at) IN (SELECT trace_id, span_id, received_at FROM llm_calls WHERE counted)
)
ORDER BY set_aside_at, trace_id, span_id, received_at
