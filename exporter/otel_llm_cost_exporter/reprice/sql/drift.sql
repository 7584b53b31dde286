-- Rows against rollup over whole hours: nothing comes back where they agree.
SELECT hour, sum(raw) AS raw, sum(rollup) AS rollup
FROM
(
    SELECT
        toStartOfHour(ts, 'UTC') AS hour,
        ifNull(toDecimal128(cost, 12), toDecimal128(0, 12)) AS raw,
        toDecimal128(0, 12) AS rollup
    FROM llm_calls
    WHERE counted AND ts >= toStartOfHour({since:DateTime64(9, 'UTC')}) AND ts < {until:DateTime64(9, 'UTC')} + INTERVAL 1 HOUR
    UNION ALL
    SELECT hour, toDecimal128(0, 12) AS raw, cost AS rollup
    FROM cost_hourly
    WHERE hour >= toStartOfHour({since:DateTime64(9, 'UTC')}) AND hour < {until:DateTime64(9, 'UTC')} + INTERVAL 1 HOUR
)
GROUP BY hour
HAVING raw != rollup AND hour < {until:DateTime64(9, 'UTC')}
ORDER BY hour
