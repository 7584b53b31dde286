-- Since when calls of a provider are stored: what was used before that cannot be in our figures.
SELECT provider, toDate(min(ts), 'UTC') AS day
FROM llm_calls
GROUP BY provider
