-- The stored side of the demo's comparison: every call by itself, with what the emulator's ledger knows of it.
-- A failed call has no answer's id.  A line of a batch has no request of its own: its model is the one that answered.
SELECT
    provider,
    operation,
    if(c.batch, response_model, request_model) AS model,
    if(c.error_type != '', '', c.response_id) AS answer,
    toUInt8(c.error_type != '') AS errors,
    toUInt8(c.counted) AS billed,
    toUInt8(c.batch) AS batch,
    ifNull(c.input_tokens, 0) AS input_tokens,
    ifNull(c.cache_read_tokens, 0) AS cache_read_tokens,
    ifNull(c.cache_write_tokens, 0) AS cache_write_tokens,
    ifNull(c.cache_write_1h_tokens, 0) AS cache_write_1h_tokens,
    ifNull(c.output_tokens, 0) AS output_tokens,
    ifNull(c.reasoning_tokens, 0) AS reasoning_tokens,
    ifNull(c.audio_input_tokens, 0) AS audio_input_tokens,
    ifNull(c.image_input_tokens, 0) AS image_input_tokens,
    ifNull(c.web_search_requests, 0) AS web_search_requests
FROM llm_calls AS c
WHERE ts >= {since:DateTime64(9, 'UTC')} AND ts < {until:DateTime64(9, 'UTC')}
