-- What the total does not hold, or holds in part: counted calls that cost something nobody could name.
SELECT
    provider,
    if(response_model != '', response_model, request_model) AS model,
    price_status AS status,
    price_reason AS reason,
    count() AS calls,
    sum(c.input_tokens) AS input_tokens,
    sum(c.output_tokens) AS output_tokens
FROM llm_calls AS c
WHERE counted
    AND ts >= {since:DateTime64(9, 'UTC')}
    AND ts < {until:DateTime64(9, 'UTC')}
    AND ((cost IS NULL AND price_reason != 'failed') OR price_status = 'partial')
GROUP BY provider, model, status, reason
ORDER BY calls DESC, model, reason
