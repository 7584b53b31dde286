-- From the spans that the OpenTelemetry Collector's ClickHouse exporter writes to `otel_traces`: those of language models,
-- in one set of names.  What stands between the words `generated` and `end` is made from the tables that the collector of
-- otel-llm-cost reads spans by (python -m otel_llm_cost_exporter.sql_road).
--
-- Both tables are doors, not stores: what is inserted goes on to the views behind them.  History is priced by the first:
-- INSERT INTO llm_otel_spans SELECT * FROM otel_traces WHERE …
CREATE TABLE IF NOT EXISTS llm_otel_spans AS otel_traces ENGINE = Null;

CREATE MATERIALIZED VIEW IF NOT EXISTS llm_otel_spans_mv TO llm_otel_spans AS
SELECT *
FROM otel_traces
WHERE length(TraceId) = 32 AND length(SpanId) = 16 AND (
    -- generated: signs
    hasAny(mapKeys(SpanAttributes), [
        'anthropic.message.stop_reason',
        'anthropic.request.id',
        'anthropic.request.service_tier',
        'anthropic.response.service_tier',
        'anthropic.usage.cache_creation.ephemeral_1h_input_tokens',
        'anthropic.usage.cache_creation.ephemeral_5m_input_tokens',
        'anthropic.usage.compaction.input_tokens',
        'anthropic.usage.compaction.output_tokens',
        'embedding.model_name',
        'gen_ai.client.operation.time_to_first_chunk',
        'gen_ai.is_streaming',
        'gen_ai.openai.request.seed',
        'gen_ai.openai.request.service_tier',
        'gen_ai.openai.response.service_tier',
        'gen_ai.openai.response.system_fingerprint',
        'gen_ai.operation.name',
        'gen_ai.provider.name',
        'gen_ai.request.model',
        'gen_ai.response.model',
        'gen_ai.system',
        'gen_ai.usage.audio.cache_read.input_tokens',
        'gen_ai.usage.audio.input_tokens',
        'gen_ai.usage.audio.output_tokens',
        'gen_ai.usage.cache_creation.input_tokens',
        'gen_ai.usage.cache_creation_input_tokens',
        'gen_ai.usage.cache_read.input_tokens',
        'gen_ai.usage.cache_read_input_tokens',
        'gen_ai.usage.cache_write.input_tokens',
        'gen_ai.usage.completion_tokens',
        'gen_ai.usage.cost',
        'gen_ai.usage.details.audio_prompt_tokens',
        'gen_ai.usage.details.ephemeral_1h_input_tokens',
        'gen_ai.usage.details.ephemeral_5m_input_tokens',
        'gen_ai.usage.details.image_prompt_tokens',
        'gen_ai.usage.details.reasoning_tokens',
        'gen_ai.usage.details.thinking_tokens',
        'gen_ai.usage.details.thoughts_tokens',
        'gen_ai.usage.details.web_search_requests',
        'gen_ai.usage.image.cache_read.input_tokens',
        'gen_ai.usage.image.input_tokens',
        'gen_ai.usage.image.output_tokens',
        'gen_ai.usage.input_tokens',
        'gen_ai.usage.output_tokens',
        'gen_ai.usage.prompt_tokens',
        'gen_ai.usage.raw',
        'gen_ai.usage.reasoning.output_tokens',
        'gen_ai.usage.reasoning_tokens',
        'gen_ai.usage.text.cache_read.input_tokens',
        'gen_ai.usage.text.input_tokens',
        'gen_ai.usage.text.output_tokens',
        'langfuse.observation.prompt.name',
        'langfuse.observation.prompt.version',
        'langfuse.observation.type',
        'llm.cost.total',
        'llm.finish_reason',
        'llm.is_streaming',
        'llm.model_name',
        'llm.provider',
        'llm.request.model_name',
        'llm.request.type',
        'llm.response.finish_reason',
        'llm.response.model_name',
        'llm.system',
        'llm.token_count.completion',
        'llm.token_count.completion_details.audio',
        'llm.token_count.completion_details.reasoning',
        'llm.token_count.prompt',
        'llm.token_count.prompt_details.audio',
        'llm.token_count.prompt_details.cache_read',
        'llm.token_count.prompt_details.cache_write',
        'llm.usage.cache_creation_input_tokens',
        'llm.usage.cache_read_input_tokens',
        'llm.usage.completion_tokens',
        'llm.usage.prompt_tokens',
        'llm.usage.reasoning_tokens',
        'llm_cost.usage.cache_write.12h.input_tokens',
        'llm_cost.usage.cache_write.1h.input_tokens',
        'llm_cost.usage.cache_write.30m.input_tokens',
        'llm_cost.usage.cache_write.5m.input_tokens',
        'llm_cost.usage.code_execution.requests',
        'llm_cost.usage.compaction.input_tokens',
        'llm_cost.usage.compaction.output_tokens',
        'llm_cost.usage.estimated',
        'llm_cost.usage.estimated_counts',
        'llm_cost.usage.file_search.requests',
        'llm_cost.usage.grounding.requests',
        'llm_cost.usage.tool_use.input_tokens',
        'llm_cost.usage.web_search.requests',
        'openinference.span.kind',
        'operation.cost'])
    -- end
);

CREATE TABLE IF NOT EXISTS llm_spans
(
    ts DateTime64(9, 'UTC'),
    duration_ns UInt64,
    trace_id FixedString(16),
    span_id FixedString(8),
    parent_span_id FixedString(8),
    scope_name String,
    service_name String,
    environment String,
    project String,
    feature String,
    user_id String,
    session_id String,
    tags Map(LowCardinality(String), String),
    operation String,
    provider String,
    request_model String,
    response_model String,
    response_id String,
    server_address String,
    service_tier String,
    request_service_tier String,
    speed String,
    inference_geo String,
    stream Bool,
    batch Bool,
    finish_reasons Array(String),
    conversation_id String,
    prompt_name String,
    prompt_version String,
    prompt_fingerprint String,
    time_to_first_chunk String,
    stated_cost String,
    outcome String,
    resend_count String,
    error_type String,
    error_class String,
    status_code String,
    -- generated: columns
    input_tokens Nullable(UInt64),
    output_tokens Nullable(UInt64),
    cache_read_input_tokens Nullable(UInt64),
    cache_write_input_tokens Nullable(UInt64),
    cache_write_5m_input_tokens Nullable(UInt64),
    cache_write_30m_input_tokens Nullable(UInt64),
    cache_write_1h_input_tokens Nullable(UInt64),
    cache_write_12h_input_tokens Nullable(UInt64),
    reasoning_output_tokens Nullable(UInt64),
    text_input_tokens Nullable(UInt64),
    image_input_tokens Nullable(UInt64),
    audio_input_tokens Nullable(UInt64),
    text_output_tokens Nullable(UInt64),
    image_output_tokens Nullable(UInt64),
    audio_output_tokens Nullable(UInt64),
    text_cache_read_input_tokens Nullable(UInt64),
    image_cache_read_input_tokens Nullable(UInt64),
    audio_cache_read_input_tokens Nullable(UInt64),
    compaction_input_tokens Nullable(UInt64),
    compaction_output_tokens Nullable(UInt64),
    web_search_requests Nullable(UInt64),
    code_execution_requests Nullable(UInt64),
    file_search_requests Nullable(UInt64),
    grounding_requests Nullable(UInt64),
    tool_use_input_tokens Nullable(UInt64),
    -- end
    usage_estimated Bool,
    estimated_counts Array(String),
    asides Array(String),
    bad_usage Bool,
    unread_dialect Bool,
    problems Array(String)
)
ENGINE = Null;

CREATE MATERIALIZED VIEW IF NOT EXISTS llm_spans_mv TO llm_spans AS
WITH
    toDateTime64('2000-01-01 00:00:00', 9, 'UTC') AS earliest,
    now64(9, 'UTC') AS now,
    'otel_llm_cost' AS ours
SELECT
    if(began_ok, began, now) AS ts,
    if(began_ok AND took <= 366 * 86400 * 1000000000, took, 0) AS duration_ns,
    toFixedString(unhex(trace), 16) AS trace_id,
    toFixedString(unhex(span), 8) AS span_id,
    toFixedString(if(length(parent) = 16, unhex(parent), ''), 8) AS parent_span_id,
    scope AS scope_name,
    service AS service_name,
    environment,
    project,
    feature,
    user_id,
    session_id,
    tags,
    operation_named AS operation,
    provider_named AS provider,
    multiIf(
        unanswered, a['llm.model_name'],
        request_model != '' OR NOT openinference, request_model,
        JSONExtractString(parameters, 'model')) AS request_model,
    if(unanswered, '', response_model) AS response_model,
    response_id,
    server_address,
    service_tier,
    if(request_service_tier = '' AND openinference, JSONExtractString(parameters, 'service_tier'), request_service_tier)
        AS request_service_tier,
    speed,
    inference_geo,
    stream_text = 'true' OR (openinference AND JSONExtractBool(parameters, 'stream')) AS stream,
    batch_text = 'true' AS batch,
    arrayMap(
        r -> replaceRegexpOne(r, '^FinishReason\\.', ''),
        arraySlice(multiIf(
            reasons = '', [],
            startsWith(reasons, '['), JSONExtract(reasons, 'Array(String)'),
            [reasons]), 1, 64)) AS finish_reasons,
    conversation_id,
    prompt_name,
    prompt_version,
    prompt_fingerprint,
    time_to_first_chunk,
    stated_cost,
    outcome,
    resend_count,
    if(error_said = '' AND failed, '_OTHER', error_said) AS error_type,
    multiIf(error_class != '', error_class, error_type != '', 'unknown', '') AS error_class,
    status_code,
    -- generated: counts
    if(whole_input BETWEEN 0 AND 1000000000, toUInt64(whole_input), NULL) AS input_tokens,
    if(whole_output BETWEEN 0 AND 1000000000, toUInt64(whole_output), NULL) AS output_tokens,
    if(toInt64OrNull(text_cache_read_input_tokens_) BETWEEN 0 AND 1000000000, toUInt64(toInt64OrNull(text_cache_read_input_tokens_)), NULL) AS cache_read_input_tokens,
    if(toInt64OrNull(text_cache_write_input_tokens_) BETWEEN 0 AND 1000000000, toUInt64(toInt64OrNull(text_cache_write_input_tokens_)), NULL) AS cache_write_input_tokens,
    if(toInt64OrNull(text_cache_write_5m_input_tokens_) BETWEEN 0 AND 1000000000, toUInt64(toInt64OrNull(text_cache_write_5m_input_tokens_)), NULL) AS cache_write_5m_input_tokens,
    if(toInt64OrNull(text_cache_write_30m_input_tokens_) BETWEEN 0 AND 1000000000, toUInt64(toInt64OrNull(text_cache_write_30m_input_tokens_)), NULL) AS cache_write_30m_input_tokens,
    if(toInt64OrNull(text_cache_write_1h_input_tokens_) BETWEEN 0 AND 1000000000, toUInt64(toInt64OrNull(text_cache_write_1h_input_tokens_)), NULL) AS cache_write_1h_input_tokens,
    if(toInt64OrNull(text_cache_write_12h_input_tokens_) BETWEEN 0 AND 1000000000, toUInt64(toInt64OrNull(text_cache_write_12h_input_tokens_)), NULL) AS cache_write_12h_input_tokens,
    if(counted_reasoning BETWEEN 0 AND 1000000000, toUInt64(counted_reasoning), NULL) AS reasoning_output_tokens,
    if(toInt64OrNull(text_text_input_tokens_) BETWEEN 0 AND 1000000000, toUInt64(toInt64OrNull(text_text_input_tokens_)), NULL) AS text_input_tokens,
    if(toInt64OrNull(text_image_input_tokens_) BETWEEN 0 AND 1000000000, toUInt64(toInt64OrNull(text_image_input_tokens_)), NULL) AS image_input_tokens,
    if(toInt64OrNull(text_audio_input_tokens_) BETWEEN 0 AND 1000000000, toUInt64(toInt64OrNull(text_audio_input_tokens_)), NULL) AS audio_input_tokens,
    if(toInt64OrNull(text_text_output_tokens_) BETWEEN 0 AND 1000000000, toUInt64(toInt64OrNull(text_text_output_tokens_)), NULL) AS text_output_tokens,
    if(toInt64OrNull(text_image_output_tokens_) BETWEEN 0 AND 1000000000, toUInt64(toInt64OrNull(text_image_output_tokens_)), NULL) AS image_output_tokens,
    if(toInt64OrNull(text_audio_output_tokens_) BETWEEN 0 AND 1000000000, toUInt64(toInt64OrNull(text_audio_output_tokens_)), NULL) AS audio_output_tokens,
    if(toInt64OrNull(text_text_cache_read_input_tokens_) BETWEEN 0 AND 1000000000, toUInt64(toInt64OrNull(text_text_cache_read_input_tokens_)), NULL) AS text_cache_read_input_tokens,
    if(toInt64OrNull(text_image_cache_read_input_tokens_) BETWEEN 0 AND 1000000000, toUInt64(toInt64OrNull(text_image_cache_read_input_tokens_)), NULL) AS image_cache_read_input_tokens,
    if(toInt64OrNull(text_audio_cache_read_input_tokens_) BETWEEN 0 AND 1000000000, toUInt64(toInt64OrNull(text_audio_cache_read_input_tokens_)), NULL) AS audio_cache_read_input_tokens,
    if(toInt64OrNull(text_compaction_input_tokens_) BETWEEN 0 AND 1000000000, toUInt64(toInt64OrNull(text_compaction_input_tokens_)), NULL) AS compaction_input_tokens,
    if(toInt64OrNull(text_compaction_output_tokens_) BETWEEN 0 AND 1000000000, toUInt64(toInt64OrNull(text_compaction_output_tokens_)), NULL) AS compaction_output_tokens,
    if(toInt64OrNull(text_web_search_requests_) BETWEEN 0 AND 1000000000, toUInt64(toInt64OrNull(text_web_search_requests_)), NULL) AS web_search_requests,
    if(toInt64OrNull(text_code_execution_requests_) BETWEEN 0 AND 1000000000, toUInt64(toInt64OrNull(text_code_execution_requests_)), NULL) AS code_execution_requests,
    if(toInt64OrNull(text_file_search_requests_) BETWEEN 0 AND 1000000000, toUInt64(toInt64OrNull(text_file_search_requests_)), NULL) AS file_search_requests,
    if(toInt64OrNull(text_grounding_requests_) BETWEEN 0 AND 1000000000, toUInt64(toInt64OrNull(text_grounding_requests_)), NULL) AS grounding_requests,
    if(toInt64OrNull(text_tool_use_input_tokens_) BETWEEN 0 AND 1000000000, toUInt64(toInt64OrNull(text_tool_use_input_tokens_)), NULL) AS tool_use_input_tokens,
    -- end
    estimated_text = 'true' OR guessed_by_dialect AS usage_estimated,
    multiIf(
        estimated_counts_text != '', JSONExtract(estimated_counts_text, 'Array(String)'),
        guessed_by_dialect, if(scope = 'opentelemetry.instrumentation.anthropic', ['output_tokens'], ['input_tokens', 'output_tokens']),
        []) AS estimated_counts,
    if(asides_text = '', [], JSONExtract(asides_text, 'Array(String)')) AS asides,
    notEmpty(bad_counts) AS bad_usage,
    unread AS unread_dialect,
    arrayConcat(
        arrayMap(name -> concat(name, ': expected a count from 0 to 1000000000'), bad_counts),
        if(began_ok, [], ['start_time_unix_nano: out of range, time of receipt taken']),
        if(unread, ['scope: this dialect says what was used in JSON, which SQL does not read'], [])) AS problems
FROM
(
    SELECT
        *,
        began BETWEEN earliest AND now + INTERVAL 1 DAY AS began_ok,
        -- what a total leaves out is added to it, as each family of instrumentations needs it
        multiIf(
            scope = ours, said_input,
            startsWith(scope, 'com.anthropic.sdk.python'), said_input + ifNull(toInt64OrNull(compaction_in), 0),
            scope = 'openlit.instrumentation.anthropic', said_input + ifNull(said_read, 0) + ifNull(said_write, 0),
            said_input) AS counted_input,
        multiIf(
            scope = ours, said_output,
            startsWith(scope, 'com.anthropic.sdk.python'), said_output + ifNull(toInt64OrNull(compaction_out), 0),
            scope = 'openlit.instrumentation.google_ai_studio', said_output + ifNull(toInt64OrNull(openlit_reasoning), 0),
            thoughts > 0, ifNull(said_output, 0) + thoughts,
            said_output) AS counted_output,
        if(thoughts > 0, thoughts, said_reasoning) AS counted_reasoning,
        if(scope != ours AND ifNull(said_read, 0) + ifNull(said_write, 0) > counted_input,
            counted_input + ifNull(said_read, 0) + ifNull(said_write, 0), counted_input) AS whole_input,
        if(scope != ours AND ifNull(counted_reasoning, 0) > counted_output,
            counted_output + ifNull(counted_reasoning, 0), counted_output) AS whole_output,
        thoughts > 0
            OR (scope = 'opentelemetry.instrumentation.anthropic' AND llmetry_streaming = 'true' AND said_output IS NOT NULL)
            OR (scope = 'openlit.instrumentation.openai' AND stream_text = 'true' AND said_input IS NOT NULL AND said_read IS NULL)
            AS guessed_by_dialect
    FROM
    (
        SELECT
            *,
            -- generated: unread
            has(['langfuse-sdk', 'logfire.anthropic', 'logfire.openai'], scope) AS unread,
            -- end
            toInt64OrNull(text_input_tokens_) AS said_input,
            toInt64OrNull(text_output_tokens_) AS said_output,
            toInt64OrNull(text_cache_read_input_tokens_) AS said_read,
            toInt64OrNull(text_cache_write_input_tokens_) AS said_write,
            toInt64OrNull(text_reasoning_output_tokens_) AS said_reasoning,
            -- of Google's answers OpenLLMetry counts the candidates; what is left of the total is thoughts, nearly always
            if(scope IN ('opentelemetry.instrumentation.google_generativeai', 'opentelemetry.instrumentation.vertexai')
                    AND said_input IS NOT NULL AND said_reasoning IS NULL,
                greatest(ifNull(toInt64OrNull(llmetry_total), 0) - said_input - ifNull(said_output, 0), 0), 0) AS thoughts,
            -- generated: values
            if(scope = 'otel_llm_cost', operation_text, transform(operation_text, ['execute_task', 'llm_request', 'vector_db_retrieve'], ['invoke_workflow', 'chat', 'retrieval'], operation_text)) AS operation_named,
            if(scope = 'otel_llm_cost', provider_text, transform(lower(trim(provider_text)), ['az.ai.openai', 'azure', 'azure_openai', 'az.ai.inference', 'aws', 'aws_bedrock', 'bedrock', 'gemini', 'gcp.gen_ai', 'google', 'google-gla', 'google-vertex', 'google_generativeai', 'vertex_ai', 'vertexai', 'mistral', 'mistralai', 'xai', 'grok'], ['azure.ai.openai', 'azure.ai.openai', 'azure.ai.openai', 'azure.ai.inference', 'aws.bedrock', 'aws.bedrock', 'aws.bedrock', 'gcp.gemini', 'gcp.gen_ai', 'gcp.gen_ai', 'gcp.gemini', 'gcp.vertex_ai', 'gcp.gemini', 'gcp.vertex_ai', 'gcp.vertex_ai', 'mistral_ai', 'mistral_ai', 'x_ai', 'x_ai'], lower(trim(provider_text)))) AS provider_said,
            replaceRegexpAll(lower(trim(server_address)), '[\\[\\]]', '') AS host,
            splitByChar('.', host) AS labels,
            arrayMap(i -> arrayStringConcat(arraySlice(labels, i), '.'), range(1, length(labels) + 1)) AS ends,
            arrayFirst(one -> one != '', arrayMap(one -> transform(one, ['api.openai.com', 'openai.azure.com', 'openai.azure.us', 'openai.azure.cn', 'cognitiveservices.azure.com', 'services.ai.azure.com', 'models.ai.azure.com', 'models.inference.ai.azure.com', 'api.anthropic.com', 'generativelanguage.googleapis.com', 'aiplatform.googleapis.com', 'api.cohere.com', 'api.cohere.ai', 'api.deepseek.com', 'api.groq.com', 'ml.cloud.ibm.com', 'mistral.ai', 'api.moonshot.ai', 'api.moonshot.cn', 'api.perplexity.ai', 'api.x.ai', 'api.ai21.com', 'api.arcee.ai', 'dashscope.aliyuncs.com', 'dashscope-intl.aliyuncs.com', 'dashscope-us.aliyuncs.com', 'qianfan.baidubce.com', 'api.inceptionlabs.ai', 'api.llama.com', 'api.meta.ai', 'api.minimax.chat', 'api.minimax.com', 'api.minimax.io', 'api.minimaxi.com', 'api.reka.ai', 'api.stepfun.com', 'api.hunyuan.cloud.tencent.com', 'api.upstage.ai', 'api.voyageai.com', 'volces.com', 'bytepluses.com', 'api.writer.com', 'api.z.ai', 'open.bigmodel.cn', 'api.avian.io', 'api.baseten.co', 'inference.baseten.co', 'api.cerebras.ai', 'api.cloudflare.com', 'api.inference.crusoecloud.com', 'cloud.databricks.com', 'gcp.databricks.com', 'azuredatabricks.net', 'api.deepinfra.com', 'inference.do-ai.run', 'api.doubleword.ai', 'api.featherless.ai', 'api.fireworks.ai', 'api.friendli.ai', 'router.huggingface.co', 'api-inference.huggingface.co', 'endpoints.huggingface.cloud', 'api.hyperbolic.xyz', 'api.lambda.ai', 'modal.run', 'modal.direct', 'api.studio.nebius.ai', 'api.studio.nebius.com', 'api.tokenfactory.nebius.com', 'api.novita.ai', 'integrate.api.nvidia.com', 'ollama.com', 'endpoints.kepler.ai.cloud.ovh.net', 'api.parasail.io', 'api.sambanova.ai', 'api.scaleway.ai', 'api.siliconflow.cn', 'api.siliconflow.com', 'snowflakecomputing.com', 'snowflakecomputing.cn', 'api.together.xyz', 'api.together.ai', 'gateway.ai.cloudflare.com', 'models.github.ai', 'api.githubcopilot.com', 'openrouter.ai', 'api.portkey.ai', 'ai-gateway.vercel.sh'], ['openai', 'azure.ai.openai', 'azure.ai.openai', 'azure.ai.openai', 'azure.ai.openai', 'azure.ai.inference', 'azure.ai.inference', 'azure.ai.inference', 'anthropic', 'gcp.gemini', 'gcp.vertex_ai', 'cohere', 'cohere', 'deepseek', 'groq', 'ibm.watsonx.ai', 'mistral_ai', 'moonshot_ai', 'moonshot_ai', 'perplexity', 'x_ai', 'ai21', 'arcee', 'alibaba', 'alibaba', 'alibaba', 'baidu', 'inception', 'meta', 'meta', 'minimax', 'minimax', 'minimax', 'minimax', 'reka', 'stepfun', 'tencent', 'upstage', 'voyageai', 'volcengine', 'byteplus', 'writer', 'zai', 'zhipuai', 'avian', 'baseten', 'baseten', 'cerebras', 'cloudflare', 'crusoe', 'databricks', 'databricks', 'databricks', 'deepinfra', 'digitalocean', 'doubleword', 'featherless', 'fireworks', 'friendli', 'huggingface', 'huggingface', 'huggingface', 'hyperbolic', 'lambda', 'modal', 'modal', 'nebius', 'nebius', 'nebius', 'novita', 'nvidia', 'ollama', 'ovhcloud', 'parasail', 'sambanova', 'scaleway', 'siliconflow', 'siliconflow', 'snowflake', 'snowflake', 'together', 'together', 'cloudflare', 'github', 'github-copilot', 'openrouter', 'portkey', 'vercel'], ''), ends)) AS vendor,
            (endsWith(host, '.local') OR endsWith(host, '.localhost') OR endsWith(host, '.internal') OR endsWith(host, '.lan') OR match(host, '^(10|127|169\\.254|192\\.168|172\\.(1[6-9]|2[0-9]|3[01]))\\.[0-9.]+$|^(::1|f[cd][0-9a-f]{2}:.*|fe[89ab][0-9a-f]:.*)$') OR (position(host, '.') = 0 AND position(host, ':') = 0)) AS local,
            multiIf(NOT (NOT scope = 'otel_llm_cost' AND server_address != '' AND provider_said IN ('anthropic', 'openai')), provider_said, vendor != '', vendor,
                match(host, '(?:^|\\.)bedrock[a-z-]*\\.[^.]+\\.(?:vpce\\.)?(?:amazonaws\\.com(?:\\.cn)?|api\\.aws)$'), 'aws.bedrock',
                match(host, '(?:^|[a-z0-9]-)aiplatform(?:\\.[a-z0-9-]+\\.rep)?\\.googleapis\\.com$'), 'gcp.vertex_ai',
                NOT local OR host IN ('lmstudio', 'localai', 'ollama', 'sglang', 'vllm'), host,
                server_port = '11434', 'ollama',
                server_port = '1234', 'lmstudio',
                host) AS provider_named,
            -- end
            -- generated: bad
            arrayFilter(name -> name != '', [
                if(text_input_tokens_ != '' AND ifNull(toInt64OrNull(text_input_tokens_) NOT BETWEEN 0 AND 1000000000, true), 'gen_ai.usage.input_tokens', ''),
                if(text_output_tokens_ != '' AND ifNull(toInt64OrNull(text_output_tokens_) NOT BETWEEN 0 AND 1000000000, true), 'gen_ai.usage.output_tokens', ''),
                if(text_cache_read_input_tokens_ != '' AND ifNull(toInt64OrNull(text_cache_read_input_tokens_) NOT BETWEEN 0 AND 1000000000, true), 'gen_ai.usage.cache_read.input_tokens', ''),
                if(text_cache_write_input_tokens_ != '' AND ifNull(toInt64OrNull(text_cache_write_input_tokens_) NOT BETWEEN 0 AND 1000000000, true), 'gen_ai.usage.cache_write.input_tokens', ''),
                if(text_cache_write_5m_input_tokens_ != '' AND ifNull(toInt64OrNull(text_cache_write_5m_input_tokens_) NOT BETWEEN 0 AND 1000000000, true), 'llm_cost.usage.cache_write.5m.input_tokens', ''),
                if(text_cache_write_30m_input_tokens_ != '' AND ifNull(toInt64OrNull(text_cache_write_30m_input_tokens_) NOT BETWEEN 0 AND 1000000000, true), 'llm_cost.usage.cache_write.30m.input_tokens', ''),
                if(text_cache_write_1h_input_tokens_ != '' AND ifNull(toInt64OrNull(text_cache_write_1h_input_tokens_) NOT BETWEEN 0 AND 1000000000, true), 'llm_cost.usage.cache_write.1h.input_tokens', ''),
                if(text_cache_write_12h_input_tokens_ != '' AND ifNull(toInt64OrNull(text_cache_write_12h_input_tokens_) NOT BETWEEN 0 AND 1000000000, true), 'llm_cost.usage.cache_write.12h.input_tokens', ''),
                if(text_reasoning_output_tokens_ != '' AND ifNull(toInt64OrNull(text_reasoning_output_tokens_) NOT BETWEEN 0 AND 1000000000, true), 'gen_ai.usage.reasoning.output_tokens', ''),
                if(text_text_input_tokens_ != '' AND ifNull(toInt64OrNull(text_text_input_tokens_) NOT BETWEEN 0 AND 1000000000, true), 'gen_ai.usage.text.input_tokens', ''),
                if(text_image_input_tokens_ != '' AND ifNull(toInt64OrNull(text_image_input_tokens_) NOT BETWEEN 0 AND 1000000000, true), 'gen_ai.usage.image.input_tokens', ''),
                if(text_audio_input_tokens_ != '' AND ifNull(toInt64OrNull(text_audio_input_tokens_) NOT BETWEEN 0 AND 1000000000, true), 'gen_ai.usage.audio.input_tokens', ''),
                if(text_text_output_tokens_ != '' AND ifNull(toInt64OrNull(text_text_output_tokens_) NOT BETWEEN 0 AND 1000000000, true), 'gen_ai.usage.text.output_tokens', ''),
                if(text_image_output_tokens_ != '' AND ifNull(toInt64OrNull(text_image_output_tokens_) NOT BETWEEN 0 AND 1000000000, true), 'gen_ai.usage.image.output_tokens', ''),
                if(text_audio_output_tokens_ != '' AND ifNull(toInt64OrNull(text_audio_output_tokens_) NOT BETWEEN 0 AND 1000000000, true), 'gen_ai.usage.audio.output_tokens', ''),
                if(text_text_cache_read_input_tokens_ != '' AND ifNull(toInt64OrNull(text_text_cache_read_input_tokens_) NOT BETWEEN 0 AND 1000000000, true), 'gen_ai.usage.text.cache_read.input_tokens', ''),
                if(text_image_cache_read_input_tokens_ != '' AND ifNull(toInt64OrNull(text_image_cache_read_input_tokens_) NOT BETWEEN 0 AND 1000000000, true), 'gen_ai.usage.image.cache_read.input_tokens', ''),
                if(text_audio_cache_read_input_tokens_ != '' AND ifNull(toInt64OrNull(text_audio_cache_read_input_tokens_) NOT BETWEEN 0 AND 1000000000, true), 'gen_ai.usage.audio.cache_read.input_tokens', ''),
                if(text_compaction_input_tokens_ != '' AND ifNull(toInt64OrNull(text_compaction_input_tokens_) NOT BETWEEN 0 AND 1000000000, true), 'llm_cost.usage.compaction.input_tokens', ''),
                if(text_compaction_output_tokens_ != '' AND ifNull(toInt64OrNull(text_compaction_output_tokens_) NOT BETWEEN 0 AND 1000000000, true), 'llm_cost.usage.compaction.output_tokens', ''),
                if(text_web_search_requests_ != '' AND ifNull(toInt64OrNull(text_web_search_requests_) NOT BETWEEN 0 AND 1000000000, true), 'llm_cost.usage.web_search.requests', ''),
                if(text_code_execution_requests_ != '' AND ifNull(toInt64OrNull(text_code_execution_requests_) NOT BETWEEN 0 AND 1000000000, true), 'llm_cost.usage.code_execution.requests', ''),
                if(text_file_search_requests_ != '' AND ifNull(toInt64OrNull(text_file_search_requests_) NOT BETWEEN 0 AND 1000000000, true), 'llm_cost.usage.file_search.requests', ''),
                if(text_grounding_requests_ != '' AND ifNull(toInt64OrNull(text_grounding_requests_) NOT BETWEEN 0 AND 1000000000, true), 'llm_cost.usage.grounding.requests', ''),
                if(text_tool_use_input_tokens_ != '' AND ifNull(toInt64OrNull(text_tool_use_input_tokens_) NOT BETWEEN 0 AND 1000000000, true), 'llm_cost.usage.tool_use.input_tokens', '')
            ]) AS bad_counts,
            -- end
            (
                -- generated: usage_said
                text_input_tokens_ != '' OR
                text_output_tokens_ != '' OR
                text_cache_read_input_tokens_ != '' OR
                text_cache_write_input_tokens_ != '' OR
                text_cache_write_5m_input_tokens_ != '' OR
                text_cache_write_30m_input_tokens_ != '' OR
                text_cache_write_1h_input_tokens_ != '' OR
                text_cache_write_12h_input_tokens_ != '' OR
                text_reasoning_output_tokens_ != '' OR
                text_text_input_tokens_ != '' OR
                text_image_input_tokens_ != '' OR
                text_audio_input_tokens_ != '' OR
                text_text_output_tokens_ != '' OR
                text_image_output_tokens_ != '' OR
                text_audio_output_tokens_ != '' OR
                text_text_cache_read_input_tokens_ != '' OR
                text_image_cache_read_input_tokens_ != '' OR
                text_audio_cache_read_input_tokens_ != '' OR
                text_compaction_input_tokens_ != '' OR
                text_compaction_output_tokens_ != '' OR
                text_web_search_requests_ != '' OR
                text_code_execution_requests_ != '' OR
                text_file_search_requests_ != '' OR
                text_grounding_requests_ != '' OR
                text_tool_use_input_tokens_ != '' OR
                estimated_text != '' OR
                estimated_counts_text != ''
                -- end
            ) AS says_usage
        FROM
        (
            SELECT
                CAST(Timestamp, 'DateTime64(9, \'UTC\')') AS began,
                toUInt64(Duration) AS took,
                TraceId AS trace,
                SpanId AS span,
                ParentSpanId AS parent,
                ScopeName AS scope,
                ServiceName AS service,
                SpanName AS span_name,
                StatusCode IN ('Error', 'STATUS_CODE_ERROR') AS failed,
                SpanAttributes AS a,
                ResourceAttributes AS r,
                if(r['deployment.environment.name'] != '', r['deployment.environment.name'], r['deployment.environment']) AS environment,
                mapApply(
                    (k, v) -> (substring(k, 14), v),
                    mapUpdate(
                        mapFilter((k, v) -> startsWith(k, 'llm_cost.tag.'), r),
                        mapFilter((k, v) -> startsWith(k, 'llm_cost.tag.'), a))) AS tags,
                startsWith(ScopeName, 'openinference.instrumentation.') AS openinference,
                if(a['openinference.span.kind'] = 'EMBEDDING', a['embedding.invocation_parameters'], a['llm.invocation_parameters']) AS parameters,
                -- nothing came back: the model's name is the one that was asked for
                openinference AND a['openinference.span.kind'] = 'LLM' AND a['llm.token_count.prompt'] = ''
                    AND a['llm.model_name'] != '' AND a['output.value'] = '' AS unanswered,
                a['anthropic.usage.compaction.input_tokens'] AS compaction_in,
                a['anthropic.usage.compaction.output_tokens'] AS compaction_out,
                a['gen_ai.usage.reasoning_tokens'] AS openlit_reasoning,
                a['gen_ai.is_streaming'] AS llmetry_streaming,
                if(a['gen_ai.usage.total_tokens'] != '', a['gen_ai.usage.total_tokens'], a['llm.usage.total_tokens']) AS llmetry_total,
                -- generated: texts
                substringUTF8(multiIf(a['gen_ai.operation.name'] != '', a['gen_ai.operation.name'], transform(a['llm.request.type'], ['completion', 'embedding'], ['text_completion', 'embeddings'], a['llm.request.type']) != '', transform(a['llm.request.type'], ['completion', 'embedding'], ['text_completion', 'embeddings'], a['llm.request.type']), transform(upper(a['openinference.span.kind']), ['LLM', 'EMBEDDING', 'TOOL', 'AGENT', 'CHAIN', 'RETRIEVER', 'RERANKER', 'GUARDRAIL', 'EVALUATOR', 'PROMPT'], ['chat', 'embeddings', 'execute_tool', 'invoke_agent', 'invoke_workflow', 'retrieval', 'rerank', 'guardrail', 'evaluate', 'prompt'], lower(a['openinference.span.kind']))), 1, 1024) AS operation_text,
                substringUTF8(multiIf(a['gen_ai.provider.name'] != '', a['gen_ai.provider.name'], a['gen_ai.system'] != '', a['gen_ai.system'], a['llm.provider'] != '', a['llm.provider'], a['llm.system']), 1, 1024) AS provider_text,
                substringUTF8(multiIf(a['gen_ai.request.model'] != '', a['gen_ai.request.model'], a['llm.request.model_name']), 1, 1024) AS request_model,
                substringUTF8(multiIf(a['gen_ai.response.model'] != '', a['gen_ai.response.model'], a['llm.response.model_name'] != '', a['llm.response.model_name'], a['llm.model_name'] != '', a['llm.model_name'], a['embedding.model_name']), 1, 1024) AS response_model,
                substringUTF8(a['gen_ai.response.id'], 1, 1024) AS response_id,
                substringUTF8(a['server.address'], 1, 1024) AS server_address,
                substringUTF8(a['server.port'], 1, 1024) AS server_port,
                substringUTF8(multiIf(a['llm_cost.response.service_tier'] != '', a['llm_cost.response.service_tier'], a['openai.response.service_tier'] != '', a['openai.response.service_tier'], a['gen_ai.openai.response.service_tier'] != '', a['gen_ai.openai.response.service_tier'], a['anthropic.response.service_tier']), 1, 1024) AS service_tier,
                substringUTF8(multiIf(a['llm_cost.request.service_tier'] != '', a['llm_cost.request.service_tier'], a['openai.request.service_tier'] != '', a['openai.request.service_tier'], a['gen_ai.openai.request.service_tier'] != '', a['gen_ai.openai.request.service_tier'], a['anthropic.request.service_tier']), 1, 1024) AS request_service_tier,
                substringUTF8(a['llm_cost.speed'], 1, 1024) AS speed,
                substringUTF8(a['llm_cost.inference_geo'], 1, 1024) AS inference_geo,
                substringUTF8(multiIf(a['gen_ai.request.stream'] != '', a['gen_ai.request.stream'], a['gen_ai.is_streaming'] != '', a['gen_ai.is_streaming'], a['llm.is_streaming']), 1, 1024) AS stream_text,
                substringUTF8(a['llm_cost.batch'], 1, 1024) AS batch_text,
                multiIf(a['gen_ai.response.finish_reasons'] != '', a['gen_ai.response.finish_reasons'], a['llm.response.finish_reason'] != '', a['llm.response.finish_reason'], a['anthropic.message.stop_reason'] != '', a['anthropic.message.stop_reason'], a['llm.finish_reason']) AS reasons,
                substringUTF8(a['gen_ai.conversation.id'], 1, 1024) AS conversation_id,
                substringUTF8(multiIf(a['gen_ai.prompt.name'] != '', a['gen_ai.prompt.name'], a['langfuse.observation.prompt.name']), 1, 1024) AS prompt_name,
                substringUTF8(multiIf(a['gen_ai.prompt.version'] != '', a['gen_ai.prompt.version'], a['langfuse.observation.prompt.version']), 1, 1024) AS prompt_version,
                substringUTF8(a['llm_cost.prompt.fingerprint'], 1, 1024) AS prompt_fingerprint,
                substringUTF8(multiIf(a['gen_ai.response.time_to_first_chunk'] != '', a['gen_ai.response.time_to_first_chunk'], a['gen_ai.client.operation.time_to_first_chunk']), 1, 1024) AS time_to_first_chunk,
                substringUTF8(multiIf(a['llm_cost.stated_cost'] != '', a['llm_cost.stated_cost'], if(a['llm.cost.total'] IN ('0', '0.0'), '', a['llm.cost.total']) != '', if(a['llm.cost.total'] IN ('0', '0.0'), '', a['llm.cost.total']), if(a['gen_ai.usage.cost'] IN ('0', '0.0'), '', a['gen_ai.usage.cost']) != '', if(a['gen_ai.usage.cost'] IN ('0', '0.0'), '', a['gen_ai.usage.cost']), if(a['operation.cost'] IN ('0', '0.0'), '', a['operation.cost'])), 1, 1024) AS stated_cost,
                substringUTF8(a['llm_cost.stream.outcome'], 1, 1024) AS outcome,
                substringUTF8(a['http.request.resend_count'], 1, 1024) AS resend_count,
                substringUTF8(a['error.type'], 1, 1024) AS error_said,
                substringUTF8(a['llm_cost.error.class'], 1, 1024) AS error_class,
                substringUTF8(a['http.response.status_code'], 1, 1024) AS status_code,
                substringUTF8(a['llm_cost.usage.estimated'], 1, 1024) AS estimated_text,
                a['llm_cost.usage.estimated_counts'] AS estimated_counts_text,
                a['llm_cost.asides'] AS asides_text,
                substringUTF8(multiIf(a['llm_cost.project'] != '', a['llm_cost.project'], r['llm_cost.project']), 1, 1024) AS project,
                substringUTF8(multiIf(a['llm_cost.feature'] != '', a['llm_cost.feature'], r['llm_cost.feature']), 1, 1024) AS feature,
                substringUTF8(multiIf(a['user.id'] != '', a['user.id'], r['user.id']), 1, 1024) AS user_id,
                substringUTF8(multiIf(a['session.id'] != '', a['session.id'], r['session.id']), 1, 1024) AS session_id,
                multiIf(a['gen_ai.usage.input_tokens'] != '', a['gen_ai.usage.input_tokens'], a['gen_ai.usage.prompt_tokens'] != '', a['gen_ai.usage.prompt_tokens'], a['llm.usage.prompt_tokens'] != '', a['llm.usage.prompt_tokens'], a['llm.token_count.prompt']) AS text_input_tokens_,
                multiIf(a['gen_ai.usage.output_tokens'] != '', a['gen_ai.usage.output_tokens'], a['gen_ai.usage.completion_tokens'] != '', a['gen_ai.usage.completion_tokens'], a['llm.usage.completion_tokens'] != '', a['llm.usage.completion_tokens'], a['llm.token_count.completion']) AS text_output_tokens_,
                multiIf(a['gen_ai.usage.cache_read.input_tokens'] != '', a['gen_ai.usage.cache_read.input_tokens'], a['gen_ai.usage.cache_read_input_tokens'] != '', a['gen_ai.usage.cache_read_input_tokens'], a['llm.usage.cache_read_input_tokens'] != '', a['llm.usage.cache_read_input_tokens'], a['llm.token_count.prompt_details.cache_read']) AS text_cache_read_input_tokens_,
                multiIf(a['gen_ai.usage.cache_write.input_tokens'] != '', a['gen_ai.usage.cache_write.input_tokens'], a['gen_ai.usage.cache_creation.input_tokens'] != '', a['gen_ai.usage.cache_creation.input_tokens'], a['gen_ai.usage.cache_creation_input_tokens'] != '', a['gen_ai.usage.cache_creation_input_tokens'], a['llm.usage.cache_creation_input_tokens'] != '', a['llm.usage.cache_creation_input_tokens'], a['llm.token_count.prompt_details.cache_write']) AS text_cache_write_input_tokens_,
                multiIf(a['llm_cost.usage.cache_write.5m.input_tokens'] != '', a['llm_cost.usage.cache_write.5m.input_tokens'], if(a['anthropic.usage.cache_creation.ephemeral_5m_input_tokens'] = '0', '', a['anthropic.usage.cache_creation.ephemeral_5m_input_tokens']) != '', if(a['anthropic.usage.cache_creation.ephemeral_5m_input_tokens'] = '0', '', a['anthropic.usage.cache_creation.ephemeral_5m_input_tokens']), if(a['gen_ai.usage.details.ephemeral_5m_input_tokens'] = '0', '', a['gen_ai.usage.details.ephemeral_5m_input_tokens'])) AS text_cache_write_5m_input_tokens_,
                a['llm_cost.usage.cache_write.30m.input_tokens'] AS text_cache_write_30m_input_tokens_,
                multiIf(a['llm_cost.usage.cache_write.1h.input_tokens'] != '', a['llm_cost.usage.cache_write.1h.input_tokens'], if(a['anthropic.usage.cache_creation.ephemeral_1h_input_tokens'] = '0', '', a['anthropic.usage.cache_creation.ephemeral_1h_input_tokens']) != '', if(a['anthropic.usage.cache_creation.ephemeral_1h_input_tokens'] = '0', '', a['anthropic.usage.cache_creation.ephemeral_1h_input_tokens']), if(a['gen_ai.usage.details.ephemeral_1h_input_tokens'] = '0', '', a['gen_ai.usage.details.ephemeral_1h_input_tokens'])) AS text_cache_write_1h_input_tokens_,
                a['llm_cost.usage.cache_write.12h.input_tokens'] AS text_cache_write_12h_input_tokens_,
                multiIf(a['gen_ai.usage.reasoning.output_tokens'] != '', a['gen_ai.usage.reasoning.output_tokens'], a['gen_ai.usage.reasoning_tokens'] != '', a['gen_ai.usage.reasoning_tokens'], a['llm.usage.reasoning_tokens'] != '', a['llm.usage.reasoning_tokens'], a['llm.token_count.completion_details.reasoning'] != '', a['llm.token_count.completion_details.reasoning'], a['gen_ai.usage.details.reasoning_tokens'] != '', a['gen_ai.usage.details.reasoning_tokens'], a['gen_ai.usage.details.thoughts_tokens'] != '', a['gen_ai.usage.details.thoughts_tokens'], a['gen_ai.usage.details.thinking_tokens']) AS text_reasoning_output_tokens_,
                a['gen_ai.usage.text.input_tokens'] AS text_text_input_tokens_,
                multiIf(a['gen_ai.usage.image.input_tokens'] != '', a['gen_ai.usage.image.input_tokens'], a['gen_ai.usage.details.image_prompt_tokens']) AS text_image_input_tokens_,
                multiIf(a['gen_ai.usage.audio.input_tokens'] != '', a['gen_ai.usage.audio.input_tokens'], a['llm.token_count.prompt_details.audio'] != '', a['llm.token_count.prompt_details.audio'], a['gen_ai.usage.details.audio_prompt_tokens']) AS text_audio_input_tokens_,
                a['gen_ai.usage.text.output_tokens'] AS text_text_output_tokens_,
                a['gen_ai.usage.image.output_tokens'] AS text_image_output_tokens_,
                multiIf(a['gen_ai.usage.audio.output_tokens'] != '', a['gen_ai.usage.audio.output_tokens'], a['llm.token_count.completion_details.audio']) AS text_audio_output_tokens_,
                a['gen_ai.usage.text.cache_read.input_tokens'] AS text_text_cache_read_input_tokens_,
                a['gen_ai.usage.image.cache_read.input_tokens'] AS text_image_cache_read_input_tokens_,
                a['gen_ai.usage.audio.cache_read.input_tokens'] AS text_audio_cache_read_input_tokens_,
                multiIf(a['llm_cost.usage.compaction.input_tokens'] != '', a['llm_cost.usage.compaction.input_tokens'], a['anthropic.usage.compaction.input_tokens']) AS text_compaction_input_tokens_,
                multiIf(a['llm_cost.usage.compaction.output_tokens'] != '', a['llm_cost.usage.compaction.output_tokens'], a['anthropic.usage.compaction.output_tokens']) AS text_compaction_output_tokens_,
                multiIf(a['llm_cost.usage.web_search.requests'] != '', a['llm_cost.usage.web_search.requests'], if(a['gen_ai.usage.details.web_search_requests'] = '0', '', a['gen_ai.usage.details.web_search_requests'])) AS text_web_search_requests_,
                a['llm_cost.usage.code_execution.requests'] AS text_code_execution_requests_,
                a['llm_cost.usage.file_search.requests'] AS text_file_search_requests_,
                a['llm_cost.usage.grounding.requests'] AS text_grounding_requests_,
                a['llm_cost.usage.tool_use.input_tokens'] AS text_tool_use_input_tokens_,
                -- end
                a['gen_ai.operation.name'] != '' AS says_operation
            FROM llm_otel_spans
        )
    )
)
WHERE (NOT startsWith(scope, 'com.anthropic.sdk.python') OR says_operation)
    AND (says_usage OR (
        -- generated: says_what
        operation_named NOT IN ('create_agent', 'evaluate', 'execute_tool', 'guardrail', 'invoke_agent', 'invoke_workflow', 'plan', 'prompt', 'retrieval')
        AND (operation_named != '' OR request_model != '' OR response_model != '')
        -- end
    ));
