-- The corrections of a run, always in one order: what is inserted twice is then the same twice.
SELECT
    * EXCEPT (ts, corrected_at),
    toUnixTimestamp64Nano(p.ts) AS ts,
    toUnixTimestamp64Milli(p.corrected_at) AS corrected_at
FROM reprice_plan AS p
WHERE run = {run:UUID}
ORDER BY p.ts, trace_id, span_id, old_price_version
