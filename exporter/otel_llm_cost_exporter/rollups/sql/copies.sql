-- Calls that are counted more than once, by day: how many too many.
SELECT day, sum(copies - 1) AS copies
FROM
(
    SELECT toDate(ts, 'UTC') AS day, count() AS copies
    FROM llm_calls
    WHERE counted AND toDate(ts, 'UTC') IN {days:Array(Date)}
    GROUP BY day, tenant, trace_id, span_id
    HAVING copies > 1
)
GROUP BY day
ORDER BY day
SETTINGS max_bytes_before_external_group_by = 200000000
