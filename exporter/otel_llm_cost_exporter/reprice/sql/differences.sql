-- What a run would change, by model and by how the price was known before and is known now.
SELECT
    provider,
    model,
    old_price_status AS old_status,
    price_status AS status,
    count() AS calls,
    countIf(NOT counted) AS set_aside,
    sumIf(old_cost, counted) AS old,
    sumIf(cost, counted) AS new,
    sumIf(ifNull(cost, toDecimal64(0, 12)) - ifNull(old_cost, toDecimal64(0, 12)), counted) AS difference
FROM reprice_plan
WHERE run = {run:UUID}
GROUP BY ALL
ORDER BY abs(difference) DESC, calls DESC, provider, model, old_status, status
