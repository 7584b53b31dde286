-- Cost and usage of counted calls by one dimension.  NULL costs stay out of the sum; how many there are, and why, is
-- beside it: a group in which nothing is priced has the cost NULL.
SELECT
    {by:Identifier} AS name,
    count() AS calls,
    countIf(c.error_type != '') AS errors,
    countIf(c.cost IS NULL AND c.price_reason = 'failed') AS failed,
    countIf(c.cost IS NULL AND c.price_reason NOT IN ('failed', 'no_usage', 'bad_usage')) AS unpriced,
    countIf(c.cost IS NULL AND c.price_reason IN ('no_usage', 'bad_usage')) AS unknown_usage,
    countIf(c.price_status = 'partial') AS partly_priced,
    sum(c.input_tokens) AS input_tokens,
    sum(c.cache_read_tokens) AS cache_read_tokens,
    sum(c.output_tokens) AS output_tokens,
    sum(c.reasoning_tokens) AS reasoning_tokens,
    sum(c.cost) AS cost
FROM
(
    SELECT
        *,
        '' AS everything,
        toString(toDate(ts, 'UTC')) AS day,
        if(response_model != '', response_model, request_model) AS model
    FROM llm_calls
    WHERE counted AND ts >= {since:DateTime64(9, 'UTC')} AND ts < {until:DateTime64(9, 'UTC')}
) AS c
GROUP BY name
ORDER BY cost DESC NULLS LAST, calls DESC, name
