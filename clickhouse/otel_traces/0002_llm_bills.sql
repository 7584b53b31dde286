-- What each call cost, and whether it is counted: rows of `llm_calls` like those that the collector of otel-llm-cost
-- writes.  Money is integers of pico-dollars until it is a Decimal.  It reads from the inside out: the totals of a usage;
-- what is taken out of them, so that each token stands in one bucket, the total being believed where its details
-- contradict it; names, context, card and rates, for the model that answered and for the one asked for; the bill, and
-- what is to be said of it; which of the spans of one call in one insert is billed.
CREATE MATERIALIZED VIEW IF NOT EXISTS llm_bills_mv TO llm_calls AS
WITH
read AS
(
    SELECT
        -- what is only passed on goes through as one
        -- generated: packed
        tuple(project, feature, environment, service_name, duration_ns, request_model, response_model, server_address, speed, inference_geo, stream, finish_reasons, user_id, session_id, conversation_id, prompt_name, prompt_version, prompt_fingerprint, tags, estimated_counts, error_type, error_class, problems, time_to_first_chunk, stated_cost, outcome, resend_count, status_code, input_tokens, output_tokens, cache_read_input_tokens, cache_write_input_tokens, cache_write_5m_input_tokens, cache_write_30m_input_tokens, cache_write_1h_input_tokens, cache_write_12h_input_tokens, reasoning_output_tokens, text_input_tokens, image_input_tokens, audio_input_tokens, text_output_tokens, image_output_tokens, audio_output_tokens, text_cache_read_input_tokens, image_cache_read_input_tokens, audio_cache_read_input_tokens, compaction_input_tokens, compaction_output_tokens, web_search_requests, code_execution_requests, file_search_requests, grounding_requests, tool_use_input_tokens) AS span,
        -- end
        ts, trace_id, span_id, parent_span_id, scope_name, operation, provider, response_id, batch, service_tier,
        request_service_tier, asides, usage_estimated, bad_usage, unread_dialect,
        audio_cache_read_input_tokens, image_cache_read_input_tokens,
        error_type != '' AS failed,
        toDate(ts, 'UTC') AS day,
        toHour(ts, 'UTC') * 60 + toMinute(ts, 'UTC') AS minute,
        -- the model that answered; Bedrock's answers do not say by which profile they came, which sets the price
        if(response_model = '', request_model, response_model) AS answered,
        if(provider = 'aws.bedrock' AND request_model != '', [request_model, answered], [answered, request_model]) AS both_models,
        arrayDistinct(arrayFilter((name, i) -> i = 1 OR name != '', both_models, [1, 2])) AS candidates,
        -- generated: context
        (batch OR replaceRegexpOne(lower(service_tier), '^on_demand_', '') = 'batch') AS asked_batch,
        if(has(['', 'auto', 'batch', 'default', 'on_demand', 'standard', 'standard_only'], replaceRegexpOne(lower(service_tier), '^on_demand_', '')), '', replaceRegexpOne(lower(service_tier), '^on_demand_', '')) AS asked_tier,
        if(has(['', 'default', 'normal', 'standard'], lower(speed)), '', lower(speed)) AS asked_speed,
        multiIf(inference_geo = '' AND match(lower(server_address), '^(?:[a-z]{2}\\.api\\.openai\\.com|[a-z0-9-]+\\.api\\.x\\.ai|[a-z0-9-]+-aiplatform\\.googleapis\\.com|aiplatform\\.[a-z]{2}\\.rep\\.googleapis\\.com)$'), 'regional',
            has(['', 'global', 'not_available'], lower(inference_geo)), '', lower(inference_geo)) AS asked_region,
        -- end
        -- generated: buckets
        ['input', 'input_audio', 'input_image', 'cache_read', 'cache_read_audio', 'cache_read_image', 'cache_write', 'cache_write_5m', 'cache_write_30m', 'cache_write_1h', 'cache_write_12h', 'output', 'reasoning', 'output_audio', 'output_image', 'request', 'web_search', 'grounding', 'file_search', 'code_execution'] AS bucket_names,
        ['input', 'input', 'input', 'cache_read', 'cache_read', 'cache_read', 'cache_write', 'cache_write', 'cache_write', 'cache_write', 'cache_write', 'output', 'output', 'output', 'output', 'tools', 'tools', 'tools', 'tools', 'tools'] AS bucket_parts,
        -- end
        -- generated: numbers
        toInt64(ifNull(input_tokens, 0)) AS n_input_tokens,
        toInt64(ifNull(output_tokens, 0)) AS n_output_tokens,
        toInt64(ifNull(cache_read_input_tokens, 0)) AS n_cache_read_input_tokens,
        toInt64(ifNull(cache_write_input_tokens, 0)) AS n_cache_write_input_tokens,
        toInt64(ifNull(cache_write_5m_input_tokens, 0)) AS n_cache_write_5m_input_tokens,
        toInt64(ifNull(cache_write_30m_input_tokens, 0)) AS n_cache_write_30m_input_tokens,
        toInt64(ifNull(cache_write_1h_input_tokens, 0)) AS n_cache_write_1h_input_tokens,
        toInt64(ifNull(cache_write_12h_input_tokens, 0)) AS n_cache_write_12h_input_tokens,
        toInt64(ifNull(reasoning_output_tokens, 0)) AS n_reasoning_output_tokens,
        toInt64(ifNull(text_input_tokens, 0)) AS n_text_input_tokens,
        toInt64(ifNull(image_input_tokens, 0)) AS n_image_input_tokens,
        toInt64(ifNull(audio_input_tokens, 0)) AS n_audio_input_tokens,
        toInt64(ifNull(text_output_tokens, 0)) AS n_text_output_tokens,
        toInt64(ifNull(image_output_tokens, 0)) AS n_image_output_tokens,
        toInt64(ifNull(audio_output_tokens, 0)) AS n_audio_output_tokens,
        toInt64(ifNull(text_cache_read_input_tokens, 0)) AS n_text_cache_read_input_tokens,
        toInt64(ifNull(image_cache_read_input_tokens, 0)) AS n_image_cache_read_input_tokens,
        toInt64(ifNull(audio_cache_read_input_tokens, 0)) AS n_audio_cache_read_input_tokens,
        toInt64(ifNull(compaction_input_tokens, 0)) AS n_compaction_input_tokens,
        toInt64(ifNull(compaction_output_tokens, 0)) AS n_compaction_output_tokens,
        toInt64(ifNull(web_search_requests, 0)) AS n_web_search_requests,
        toInt64(ifNull(code_execution_requests, 0)) AS n_code_execution_requests,
        toInt64(ifNull(file_search_requests, 0)) AS n_file_search_requests,
        toInt64(ifNull(grounding_requests, 0)) AS n_grounding_requests,
        toInt64(ifNull(tool_use_input_tokens, 0)) AS n_tool_use_input_tokens,
        coalesce(input_tokens, output_tokens, cache_read_input_tokens, cache_write_input_tokens, cache_write_5m_input_tokens, cache_write_30m_input_tokens, cache_write_1h_input_tokens, cache_write_12h_input_tokens, reasoning_output_tokens, text_input_tokens, image_input_tokens, audio_input_tokens, text_output_tokens, image_output_tokens, audio_output_tokens, text_cache_read_input_tokens, image_cache_read_input_tokens, audio_cache_read_input_tokens, compaction_input_tokens, compaction_output_tokens, web_search_requests, code_execution_requests, file_search_requests, grounding_requests, tool_use_input_tokens) IS NULL AS nothing_said,
        greatest(n_input_tokens, n_output_tokens, n_cache_read_input_tokens, n_cache_write_input_tokens, n_cache_write_5m_input_tokens, n_cache_write_30m_input_tokens, n_cache_write_1h_input_tokens, n_cache_write_12h_input_tokens, n_reasoning_output_tokens, n_text_input_tokens, n_image_input_tokens, n_audio_input_tokens, n_text_output_tokens, n_image_output_tokens, n_audio_output_tokens, n_text_cache_read_input_tokens, n_image_cache_read_input_tokens, n_audio_cache_read_input_tokens, n_compaction_input_tokens, n_compaction_output_tokens, n_web_search_requests, n_code_execution_requests, n_file_search_requests, n_grounding_requests, n_tool_use_input_tokens) > 0
            AND NOT bad_usage AND NOT unread_dialect AND operation NOT IN ('count_tokens', 'moderation')
            AND (operation != 'fetch_response' OR scope_name = 'otel_llm_cost') AS carries_usage,
        -- end
        if(cache_write_input_tokens IS NOT NULL, n_cache_write_input_tokens,
            n_cache_write_5m_input_tokens + n_cache_write_30m_input_tokens
            + n_cache_write_1h_input_tokens + n_cache_write_12h_input_tokens) AS written_said,
        if(coalesce(input_tokens, text_input_tokens, audio_input_tokens, image_input_tokens) IS NULL, NULL,
            ifNull(toInt64(input_tokens), n_text_input_tokens + n_audio_input_tokens + n_image_input_tokens)) AS said_in,
        coalesce(text_output_tokens, audio_output_tokens, image_output_tokens) IS NOT NULL AS said_kinds_of_output,
        if(coalesce(output_tokens, text_output_tokens, audio_output_tokens, image_output_tokens) IS NULL, NULL,
            ifNull(toInt64(output_tokens), n_text_output_tokens + n_audio_output_tokens + n_image_output_tokens)) AS said_out
    FROM llm_spans
),
totals AS
(
    SELECT
        *,
        ifNull(said_in, n_cache_read_input_tokens + written_said) AS total_in,
        ifNull(said_out, 0) AS total_out,
        said_out IS NULL AS output_missing,
        least(n_cache_read_input_tokens, total_in) AS read_all,
        least(written_said, total_in - read_all) AS written
    FROM read
),
shares_1 AS
(
    SELECT
        *,
        least(n_cache_write_5m_input_tokens, written) AS w_5m,
        written - w_5m AS ws_1,
        total_in - read_all - written AS prompt_2,
        ifNull(toInt64(audio_cache_read_input_tokens), least(greatest(0, n_audio_input_tokens - prompt_2), read_all)) AS audio_cached,
        least(n_reasoning_output_tokens, total_out) AS out_reasoning,
        total_out - out_reasoning AS out_1,
        -- a compaction is a request of its own, billed with the call, and neither is as large as both
        if(n_compaction_input_tokens BETWEEN 1 AND total_in,
            greatest(total_in - n_compaction_input_tokens, n_compaction_input_tokens), total_in) AS prompt
    FROM totals
),
shares_2 AS
(
    SELECT
        *,
        least(n_cache_write_30m_input_tokens, ws_1) AS w_30m,
        ws_1 - w_30m AS ws_2,
        least(audio_cached, read_all) AS audio_read,
        read_all - audio_read AS cached_1,
        least(greatest(0, n_audio_input_tokens - audio_cached), prompt_2) AS audio_fresh,
        prompt_2 - audio_fresh AS prompt_3,
        least(n_audio_output_tokens, out_1) AS out_audio
    FROM shares_1
),
shares_3 AS
(
    SELECT
        *,
        least(n_cache_write_1h_input_tokens, ws_2) AS w_1h,
        ws_2 - w_1h AS ws_3,
        ifNull(toInt64(image_cache_read_input_tokens), least(greatest(0, n_image_input_tokens - prompt_3), cached_1)) AS image_cached,
        least(n_image_output_tokens, out_1 - out_audio) AS out_image,
        out_1 - out_audio AS out_2
    FROM shares_2
),
shares_4 AS
(
    SELECT
        *,
        least(n_cache_write_12h_input_tokens, ws_3) AS w_12h,
        least(image_cached, cached_1) AS image_read,
        least(greatest(0, n_image_input_tokens - image_cached), prompt_3) AS image_fresh
    FROM shares_3
),
used AS
(
    SELECT
        * EXCEPT ('^(n|w|ws|out|cached|prompt|audio|image|read|total|written)_'),
        arrayFilter(one -> one.2 > 0, arrayZip(bucket_names, [
            prompt_3 - image_fresh, audio_fresh, image_fresh,
            cached_1 - image_read, audio_read, image_read,
            ws_3 - w_12h, w_5m, w_30m, w_1h, w_12h,
            out_2 - out_image, out_reasoning, out_audio, out_image,
            0, n_web_search_requests, n_grounding_requests, n_file_search_requests, n_code_execution_requests])) AS used,
        if(empty(used), [], arrayConcat(used, [('request', toInt64(1))])) AS bought,
        arrayFilter(why -> why != '', [
            if(said_in IS NULL, 'input_missing', ''),
            if(n_cache_read_input_tokens > read_all, 'cache_read_exceeds_input', ''),
            if(written_said > written, 'cache_write_exceeds_input', ''),
            if(n_cache_write_5m_input_tokens > w_5m, 'cache_write_5m_exceeds_cache_write', ''),
            if(n_cache_write_30m_input_tokens > w_30m, 'cache_write_30m_exceeds_cache_write', ''),
            if(n_cache_write_1h_input_tokens > w_1h, 'cache_write_1h_exceeds_cache_write', ''),
            if(n_cache_write_12h_input_tokens > w_12h, 'cache_write_12h_exceeds_cache_write', ''),
            if(audio_cached > audio_read, 'cache_read_audio_exceeds_cache_read', ''),
            if(n_audio_input_tokens - audio_cached > audio_fresh, 'input_audio_exceeds_input', ''),
            if(image_cached > image_read, 'cache_read_image_exceeds_cache_read', ''),
            if(n_image_input_tokens - image_cached > image_fresh, 'input_image_exceeds_input', ''),
            if(n_reasoning_output_tokens > out_reasoning, 'reasoning_exceeds_output', ''),
            if(n_audio_output_tokens > out_audio, 'output_audio_exceeds_output', ''),
            if(n_image_output_tokens > out_image, 'output_image_exceeds_output', '')]) AS contradictions,
        -- buckets part of which may be of another kind, or cached
        arrayFilter(bucket -> bucket != '', [
            if(said_kinds_of_output, '', 'output'),
            if(audio_cache_read_input_tokens IS NULL AND least(n_audio_input_tokens, read_all) > audio_cached, 'input_audio', ''),
            if(image_cache_read_input_tokens IS NULL AND least(n_image_input_tokens, cached_1) > image_cached, 'input_image', '')]) AS unsaid
    FROM shares_4
),
named AS
(
    SELECT
        *,
        if(provider = 'openai' AND operation = 'decision', 'openai-decisions', lowerUTF8(trim(provider))) AS seller,
        arrayMap(name -> dictGet('llm_price_names_dict',
            ('price_provider', 'price_model', 'model', 'status', 'reason', 'known'),
            (seller, lowerUTF8(trim(name))), day), candidates) AS named,
        multiIf(
            bad_usage OR unread_dialect, 'bad_usage_said',
            nothing_said, 'nothing_said',
            said_in IS NULL AND said_out IS NULL, 'no_usage',
            notEmpty(bought), '',
            arrayExists(why -> why != 'input_missing', contradictions), 'bad_usage',
            'no_usage') AS state
    FROM used
),
carded AS
(
    SELECT
        *,
        arrayMap(name -> dictGet('llm_price_cards_dict',
            ('priced_as', 'status', 'reason', 'expects_output', 'hours_from', 'hours_to', 'hours_priced_as', 'hours_expect_output'),
            (name.1, name.2, arrayStringConcat(arrayFilter(part -> part != '', [
                if(asked_batch, 'batch', ''),
                multiIf(asked_tier = '', '', has(name.6, concat('service_tier=', asked_tier)), concat('service_tier=', asked_tier), 'service_tier=*'),
                multiIf(asked_speed = '', '', has(name.6, concat('speed=', asked_speed)), concat('speed=', asked_speed), 'speed=*'),
                if(asked_region != '' AND has(name.6, concat('region=', asked_region)), concat('region=', asked_region), '')]), ',')), day), named) AS cards
    FROM named
),
hourly AS
(
    SELECT
        *,
        arrayMap(card -> arrayFirstIndex(
            (f, t) -> if(f <= t, minute >= f AND minute < t, minute >= f OR minute < t), card.5, card.6), cards) AS hours,
        arrayMap((card, hour) -> if(hour = 0, card.1, card.7[hour]), cards, hours) AS priced_as,
        arrayMap((card, hour) -> if(hour = 0, card.4, card.8[hour]), cards, hours) AS expects_output
    FROM carded
),
lined AS
(
    SELECT
        *,
        -- bucket, units that are billed, rate, whether the rate is a guess
        arrayMap((name, context) -> arrayFilter(l -> l.1 != 'request' OR l.3 IS NOT NULL, arrayMap(
            (one, price) -> (
                one.1,
                if(price.3, 1, one.2),
                if(empty(price.2), NULL, price.2[1 + arrayCount(above -> prompt > above, price.1)]),
                price.4 AND one.1 != 'request'
                    AND (one.1 NOT IN ('output', 'input_audio', 'input_image') OR has(unsaid, one.1))),
            bought,
            arrayMap(one -> dictGet('llm_prices_dict', ('above', 'rates', 'once_per_call', 'guessed'),
                (name.1, name.2, context, one.1), day), bought))), named, priced_as) AS lines_of
    FROM hourly
),
summed AS
(
    SELECT
        *,
        arrayMap(ls -> arraySum(l -> l.2 * toUInt128(ifNull(l.3, 0)), ls), lines_of) AS totals_of,
        arrayMap((ls, expects) -> arrayConcat(
            contradictions,
            arrayMap(l -> concat('no_rate_for_', l.1), arrayFilter(l -> l.3 IS NULL, ls)),
            if(output_missing AND expects, ['output_missing'], [])), lines_of, expects_output) AS gaps_of
    FROM lined
),
judged AS
(
    SELECT
        *,
        arrayMap(
            (card, sum_of, gap, name) -> state = '' AND card.2 != 'unknown' AND name.4 NOT IN ('', 'unknown')
                AND NOT (notEmpty(gap) AND sum_of = 0),
            cards, totals_of, gaps_of, named) AS priceable
    FROM summed
),
chosen AS
(
    -- the model that answered, or the one that was asked for where only that has a price
    SELECT
        *,
        if(length(priceable) = 2 AND NOT priceable[1] AND priceable[2], 2, 1) AS picked
    FROM judged
),
picked AS
(
    SELECT
        * EXCEPT (lines_of, totals_of, gaps_of, cards, named),
        lines_of[picked] AS lines,
        totals_of[picked] AS total,
        gaps_of[picked] AS gaps,
        cards[picked].2 AS card_status,
        cards[picked].3 AS card_reason,
        named[picked].3 AS model,
        named[picked].4 AS name_status,
        named[picked].5 AS name_reason
    FROM chosen
),
valued AS
(
    SELECT
        *,
        state = '' AND card_status != 'unknown' AND name_status NOT IN ('', 'unknown') AND total < 1000000000000000000 AS told,
        arrayMap(
            l -> multiIf(
                l.1 = 'cache_write', 'cache_ttl_not_known',
                l.1 IN ('cache_read', 'cache_read_audio', 'cache_read_image'), concat(l.1, '_at_input_rate'),
                l.1 = 'input_audio', 'cached_audio_not_known',
                l.1 = 'input_image', 'cached_image_not_known',
                l.1 = 'output', 'output_kind_not_known',
                l.1 = 'web_search', 'web_search_tool_not_known',
                concat(l.1, '_at_default_rate')),
            arrayFilter(l -> l.4, lines)) AS guesses,
        multiIf(
            card_status = 'override', 'override',
            card_status = 'fallback' AND name_status != 'override', 'fallback',
            name_status) AS sheet_status,
        arrayFilter(why -> why != '', [
            if(picked = 2, 'request_model', ''),
            if(notEmpty(asides), 'asides_not_priced', ''),
            if(usage_estimated, 'estimated_usage', ''),
            if(service_tier = '' AND lower(request_service_tier) IN ('flex', 'priority', 'fast'), 'served_tier_not_known', '')]) AS doubts,
        arrayMap(
            part -> arraySum(l -> if(bucket_parts[indexOf(bucket_names, l.1)] = part, l.2 * toUInt128(ifNull(l.3, 0)), 0), lines),
            ['input', 'cache_read', 'cache_write', 'output', 'tools']) AS part_sums,
        arrayConcat(
            arrayFilter(
                part -> NOT arrayExists(l -> l.3 IS NOT NULL AND bucket_parts[indexOf(bucket_names, l.1)] = part, lines),
                arrayMap(l -> bucket_parts[indexOf(bucket_names, l.1)], arrayFilter(l -> l.3 IS NULL, lines))),
            if(has(gaps, 'output_missing'), ['output'], []),
            if(has(gaps, 'input_missing'), ['input'], [])) AS lost
    FROM picked
),
known AS
(
    SELECT
        *,
        told AND NOT (notEmpty(gaps) AND total = 0) AS known,
        arrayFilter(why -> why != '', arrayConcat([name_reason, card_reason], gaps, guesses)) AS reasons
    FROM valued
),
billed AS
(
    SELECT
        *,
        multiIf(
            NOT known, 'unknown',
            notEmpty(gaps) OR notEmpty(asides), 'partial',
            notEmpty(guesses) AND sheet_status != 'override', 'fallback',
            notEmpty(doubts) AND sheet_status IN ('exact', 'alias'), 'fallback',
            sheet_status) AS price_status,
        multiIf(
            state = 'bad_usage_said', 'bad_usage',
            state = 'nothing_said', if(failed, 'failed', 'no_usage'),
            name_status = '', 'name_not_loaded',
            name_status = 'unknown', name_reason,
            card_status = 'unknown', card_reason,
            state = 'no_usage' AND failed, 'failed',
            state != '', state,
            total >= 1000000000000000000, 'out_of_range',
            arrayStringConcat(if(known, arrayConcat(reasons, doubts), reasons), ',')) AS price_reason
    FROM known
),
beside AS
(
    SELECT
        *,
        row_number() OVER same_span AS copy,
        row_number() OVER same_response AS place,
        first_value((scope_name, batch OR operation = 'fetch_response', ts)) OVER same_response AS best,
        groupUniqArrayIf(1000)(parent_span_id, carries_usage) OVER same_trace AS billed_parents,
        groupUniqArrayIf(1000)(parent_span_id, scope_name = 'otel_llm_cost') OVER same_trace AS our_parents,
        groupUniqArrayIf(1000)(span_id, carries_usage) OVER same_trace AS billed_spans
    FROM billed
    WINDOW
        same_span AS (PARTITION BY trace_id, span_id ORDER BY ts),
        same_trace AS (PARTITION BY trace_id),
        -- of two spans with one response id the one that says most is billed: what we wrote ourselves
        same_response AS (
            PARTITION BY if(response_id = '', hex(span_id), concat(provider, '\0', response_id))
            ORDER BY NOT carries_usage, scope_name != 'otel_llm_cost', ts
            ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)
),
counted AS
(
    SELECT
        *,
        toDecimal128('0.000000000001', 12) AS pico,
        if(told, lines, []) AS bill,
        if(price_reason IN ('failed', 'out_of_range') OR state IN ('bad_usage_said', 'nothing_said'), '', model) AS price_model,
        multiIf(
            operation IN ('count_tokens', 'moderation'), 'not_billed',
            operation = 'fetch_response' AND NOT carries_usage, 'fetch_response',
            has(billed_parents, span_id), 'parent_of_billed',
            NOT carries_usage AND has(our_parents, span_id), 'parent_of_ours',
            carries_usage AND response_id != '' AND place > 1
                AND NOT (scope_name = 'otel_llm_cost' AND best.1 = 'otel_llm_cost'
                    AND NOT (batch OR operation = 'fetch_response' OR best.2 OR ts = best.3)), 'duplicate_response',
            NOT carries_usage AND has(billed_spans, parent_span_id), 'child_of_billed',
            '') AS counted_reason
    FROM beside
    WHERE copy = 1
),
whole AS
(
    SELECT
        *,
        -- generated: unpacked
        span.1 AS project,
        span.2 AS feature,
        span.3 AS environment,
        span.4 AS service_name,
        span.5 AS duration_ns,
        span.6 AS request_model,
        span.7 AS response_model,
        span.8 AS server_address,
        span.9 AS speed,
        span.10 AS inference_geo,
        span.11 AS stream,
        span.12 AS finish_reasons,
        span.13 AS user_id,
        span.14 AS session_id,
        span.15 AS conversation_id,
        span.16 AS prompt_name,
        span.17 AS prompt_version,
        span.18 AS prompt_fingerprint,
        span.19 AS tags,
        span.20 AS estimated_counts,
        span.21 AS error_type,
        span.22 AS error_class,
        span.23 AS problems,
        span.24 AS said_first_chunk,
        span.25 AS said_stated_cost,
        span.26 AS said_outcome,
        span.27 AS said_resend_count,
        span.28 AS said_status_code,
        span.29 AS input_tokens,
        span.30 AS output_tokens,
        span.31 AS cache_read_input_tokens,
        span.32 AS cache_write_input_tokens,
        span.33 AS cache_write_5m_input_tokens,
        span.34 AS cache_write_30m_input_tokens,
        span.35 AS cache_write_1h_input_tokens,
        span.36 AS cache_write_12h_input_tokens,
        span.37 AS reasoning_output_tokens,
        span.38 AS text_input_tokens,
        span.39 AS image_input_tokens,
        span.40 AS audio_input_tokens,
        span.41 AS text_output_tokens,
        span.42 AS image_output_tokens,
        span.43 AS audio_output_tokens,
        span.44 AS text_cache_read_input_tokens,
        span.45 AS said_image_cache_read,
        span.46 AS said_audio_cache_read,
        span.47 AS compaction_input_tokens,
        span.48 AS compaction_output_tokens,
        span.49 AS web_search_requests,
        span.50 AS code_execution_requests,
        span.51 AS file_search_requests,
        span.52 AS grounding_requests,
        span.53 AS tool_use_input_tokens,
        -- end
        toFloat64OrNull(said_first_chunk) AS first_chunk,
        toDecimal128OrNull(said_stated_cost, 18) AS stated,
        toUInt64OrNull(said_resend_count) AS resends,
        toUInt64OrNull(said_status_code) AS http_status
    FROM counted
)
SELECT
    project, feature, environment, service_name, ts, duration_ns,
    if(first_chunk >= 0 AND first_chunk < 1e6, toUInt64(round(first_chunk * 1e9)), NULL) AS time_to_first_chunk_ns,
    trace_id, span_id, parent_span_id, scope_name, operation, provider, request_model, response_model, response_id,
    server_address, service_tier, request_service_tier, speed, inference_geo, stream, batch,
    finish_reasons, user_id, session_id, conversation_id, prompt_name, prompt_version, prompt_fingerprint, tags,
    -- generated: counts_of_call
    input_tokens,
    output_tokens,
    cache_read_input_tokens AS cache_read_tokens,
    cache_write_input_tokens AS cache_write_tokens,
    cache_write_1h_input_tokens AS cache_write_1h_tokens,
    reasoning_output_tokens AS reasoning_tokens,
    tool_use_input_tokens AS tool_use_tokens,
    audio_input_tokens,
    audio_output_tokens,
    image_input_tokens,
    image_output_tokens,
    web_search_requests,
    CAST(arrayMap(pair -> (pair.1, toUInt64(pair.2)), arrayFilter(pair -> pair.2 >= 0, arrayZip(
        ['cache_write_5m_input_tokens', 'cache_write_30m_input_tokens', 'cache_write_12h_input_tokens', 'text_input_tokens', 'text_output_tokens', 'text_cache_read_input_tokens', 'image_cache_read_input_tokens', 'audio_cache_read_input_tokens', 'compaction_input_tokens', 'compaction_output_tokens', 'code_execution_requests', 'file_search_requests', 'grounding_requests'],
        [ifNull(toInt64(cache_write_5m_input_tokens), -1), ifNull(toInt64(cache_write_30m_input_tokens), -1), ifNull(toInt64(cache_write_12h_input_tokens), -1), ifNull(toInt64(text_input_tokens), -1), ifNull(toInt64(text_output_tokens), -1), ifNull(toInt64(text_cache_read_input_tokens), -1), ifNull(toInt64(said_image_cache_read), -1), ifNull(toInt64(said_audio_cache_read), -1), ifNull(toInt64(compaction_input_tokens), -1), ifNull(toInt64(compaction_output_tokens), -1), ifNull(toInt64(code_execution_requests), -1), ifNull(toInt64(file_search_requests), -1), ifNull(toInt64(grounding_requests), -1)]))), 'Map(LowCardinality(String), UInt64)') AS usage_other,
    -- end
    asides, usage_estimated, estimated_counts,
    if(known, accurateCastOrNull(toDecimal128(total, 0) * pico, 'Decimal(18, 12)'), NULL) AS cost,
    if(known AND NOT has(lost, 'input'), accurateCastOrNull(toDecimal128(part_sums[1], 0) * pico, 'Decimal(18, 12)'), NULL) AS cost_input,
    if(known AND NOT has(lost, 'cache_read'), accurateCastOrNull(toDecimal128(part_sums[2], 0) * pico, 'Decimal(18, 12)'), NULL) AS cost_cache_read,
    if(known AND NOT has(lost, 'cache_write'), accurateCastOrNull(toDecimal128(part_sums[3], 0) * pico, 'Decimal(18, 12)'), NULL) AS cost_cache_write,
    if(known AND NOT has(lost, 'output'), accurateCastOrNull(toDecimal128(part_sums[4], 0) * pico, 'Decimal(18, 12)'), NULL) AS cost_output,
    if(known AND NOT has(lost, 'tools'), accurateCastOrNull(toDecimal128(part_sums[5], 0) * pico, 'Decimal(18, 12)'), NULL) AS cost_tools,
    mapFromArrays(CAST(bill.1, 'Array(LowCardinality(String))'), arrayMap(q -> toUInt64(q), bill.2)) AS quantities,
    mapFromArrays(
        arrayMap(l -> CAST(l.1, 'LowCardinality(String)'), arrayFilter(l -> l.3 IS NOT NULL, bill)),
        arrayMap(l -> assumeNotNull(l.3), arrayFilter(l -> l.3 IS NOT NULL, bill))) AS rates,
    if(stated BETWEEN 0 AND 999999, accurateCastOrNull(round(stated, 12), 'Decimal(18, 12)'), NULL) AS stated_cost,
    price_status, price_reason, price_model,
    dictGet('llm_price_load_dict', 'price_version', toUInt64(0)) AS price_version,
    counted_reason = '' AS counted,
    counted_reason,
    if(resends <= 1000000000, toUInt32(resends), NULL) AS resend_count,
    if(said_outcome IN ('completed', 'cancelled', 'broken', 'abandoned'), said_outcome, '') AS outcome,
    error_type, error_class,
    if(http_status BETWEEN 100 AND 599, toUInt16(http_status), NULL) AS status_code,
    problems
FROM whole;
