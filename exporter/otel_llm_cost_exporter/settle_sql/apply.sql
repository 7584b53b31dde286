-- Mark what is out of the rollup already.  Run again it finds nothing.
ALTER TABLE llm_calls
UPDATE
    counted = false,
    counted_reason = multiIf(
        (trace_id, span_id, received_at) IN
            (SELECT trace_id, span_id, received_at FROM llm_calls_set_aside WHERE reason = 'seen_before'), 'seen_before',
        (trace_id, span_id, received_at) IN
            (SELECT trace_id, span_id, received_at FROM llm_calls_set_aside WHERE reason = 'parent_of_billed'), 'parent_of_billed',
        (trace_id, span_id, received_at) IN
            (SELECT trace_id, span_id, received_at FROM llm_calls_set_aside WHERE reason = 'child_of_billed'), 'child_of_billed',
        'duplicate_response')
WHERE counted AND (trace_id, span_id, received_at) IN (SELECT trace_id, span_id, received_at FROM llm_calls_set_aside)
SETTINGS mutations_sync = 2
