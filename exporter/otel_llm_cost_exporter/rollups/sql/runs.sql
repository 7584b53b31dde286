-- Every run that somebody said yes to, the newest first.
SELECT
    run,
    minIf(r.at, stage = 'begun') AS begun_at,
    CAST(countIf(stage = 'done') > 0, 'Bool') AS done,
    any(since) AS since,
    any(until) AS until,
    any(provider) AS provider,
    any(model) AS model,
    any(price_version) AS price_version,
    max(r.calls) AS calls
FROM reprices AS r
GROUP BY run
HAVING countIf(stage = 'begun') > 0
ORDER BY begun_at DESC
