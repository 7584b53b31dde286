-- Rows that are kept and not billed, such as duplicates, by the reason why.
SELECT counted_reason AS reason, count() AS calls
FROM llm_calls
WHERE NOT counted AND ts >= {since:DateTime64(9, 'UTC')} AND ts < {until:DateTime64(9, 'UTC')}
GROUP BY reason
ORDER BY calls DESC, reason
