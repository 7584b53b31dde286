-- What the cost of a call was before, the latest first.
SELECT corrected_at, old_cost, cost, old_price_status, old_price_version, price_version
FROM price_corrections
WHERE trace_id = unhex({trace:String}) AND span_id = unhex({span:String})
    AND run IN (SELECT run FROM reprices WHERE stage = 'done')
ORDER BY corrected_at DESC
