-- How many calls of a plan are not any more what they were when it was made.
SELECT count() AS calls
FROM
(
    SELECT trace_id, span_id, ts, concat(ifNull(toString(old_cost), ''), ' ', old_price_version, ' ', toString(counted)) AS was
    FROM reprice_plan
    WHERE run = {run:UUID}
) AS p
LEFT ANTI JOIN
(
    SELECT trace_id, span_id, ts, concat(ifNull(toString(cost), ''), ' ', price_version, ' ', toString(counted)) AS was
    FROM llm_calls
    WHERE ts >= {since:DateTime64(9, 'UTC')} AND ts < {until:DateTime64(9, 'UTC')}
) AS c USING (trace_id, span_id, ts, was)
