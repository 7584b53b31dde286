-- Periods of a run's corrections, so many rows each, for one mutation after the other.
SELECT
    intDiv(n, {size:UInt32}) AS chunk,
    toUnixTimestamp64Nano(min(ts)) AS first_ns,
    toUnixTimestamp64Nano(max(ts)) AS last_ns
FROM
(
    SELECT ts, row_number() OVER (ORDER BY ts) - 1 AS n FROM price_corrections WHERE run = {run:UUID}
)
GROUP BY chunk
ORDER BY chunk
