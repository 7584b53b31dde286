-- The price book as tables and dictionaries, written whole by `otel-llm-cost prices load`, so that SQL alone can price:
-- for what-if panels, and for calls that never pass the collector.  A name as spans have it leads to a sheet, a sheet and
-- the context of a call (`batch`, `service_tier=flex`, …; the standard is empty) lead to a card, and a card has a rate for
-- every bucket that can be billed at all.  Days are UTC, and the last day of a period is in it.
--
-- One load is a whole set.  Its rows lie beside those of earlier loads until its row in `llm_price_loads` makes it the
-- one in force; the views, and the dictionaries above them, show that one.  Earlier loads explain the past; one that is
-- not wanted any more is dropped as a partition of three tables.
CREATE TABLE IF NOT EXISTS llm_price_loads
(
    load String,
    price_version String,
    loaded_at DateTime64(6, 'UTC') DEFAULT now64(6, 'UTC')
)
ENGINE = MergeTree
ORDER BY loaded_at;

CREATE TABLE IF NOT EXISTS llm_price_names
(
    load LowCardinality(String),
    provider LowCardinality(String),
    name String,
    valid_from Date,
    last_day Date,
    price_provider LowCardinality(String),
    price_model String,
    model String,
    status LowCardinality(String),
    reason LowCardinality(String),
    known Array(LowCardinality(String))
)
ENGINE = ReplacingMergeTree
PARTITION BY load
ORDER BY (load, provider, name, valid_from)
SETTINGS non_replicated_deduplication_window = 1000;

CREATE TABLE IF NOT EXISTS llm_price_cards
(
    load LowCardinality(String),
    price_provider LowCardinality(String),
    price_model String,
    context LowCardinality(String),
    valid_from Date,
    last_day Date,
    priced_as LowCardinality(String),
    status LowCardinality(String),
    reason LowCardinality(String),
    expects_output Bool,
    hours_from Array(UInt16),
    hours_to Array(UInt16),
    hours_priced_as Array(String),
    hours_expect_output Array(UInt8),
    source LowCardinality(String)
)
ENGINE = ReplacingMergeTree
PARTITION BY load
ORDER BY (load, price_provider, price_model, context, valid_from)
SETTINGS non_replicated_deduplication_window = 1000;

-- Pico-dollars (10^-12 USD) a unit: rates[1], and rates[1 + i] for prompts of more than above[i] tokens.
CREATE TABLE IF NOT EXISTS llm_prices
(
    load LowCardinality(String),
    price_provider LowCardinality(String),
    price_model String,
    context LowCardinality(String),
    bucket LowCardinality(String),
    valid_from Date,
    last_day Date,
    above Array(UInt64),
    rates Array(UInt64),
    once_per_call Bool,
    guessed Bool
)
ENGINE = ReplacingMergeTree
PARTITION BY load
ORDER BY (load, price_provider, price_model, context, bucket, valid_from)
SETTINGS non_replicated_deduplication_window = 1000;

CREATE VIEW IF NOT EXISTS llm_price_load_in_force AS
SELECT toUInt64(0) AS id, argMax(load, loaded_at) AS load, argMax(price_version, loaded_at) AS price_version
FROM llm_price_loads
HAVING count() > 0;

CREATE VIEW IF NOT EXISTS llm_price_names_in_force AS
SELECT provider, name, valid_from, last_day, price_provider, price_model, model, status, reason, known
FROM llm_price_names FINAL
WHERE load = (SELECT load FROM llm_price_load_in_force);

CREATE VIEW IF NOT EXISTS llm_price_cards_in_force AS
SELECT
    price_provider, price_model, context, valid_from, last_day,
    priced_as, status, reason, expects_output, hours_from, hours_to, hours_priced_as, hours_expect_output
FROM llm_price_cards FINAL
WHERE load = (SELECT load FROM llm_price_load_in_force);

CREATE VIEW IF NOT EXISTS llm_prices_in_force AS
SELECT price_provider, price_model, context, bucket, valid_from, last_day, above, rates, once_per_call, guessed
FROM llm_prices FINAL
WHERE load = (SELECT load FROM llm_price_load_in_force);

-- A dictionary reads its table as a user of its own: where that needs a password it stands in the place of the comment.
-- A load reloads them at once; the lifetime is for the other servers of a cluster.
CREATE DICTIONARY IF NOT EXISTS llm_price_load_dict
(
    id UInt64,
    load String DEFAULT '',
    price_version String DEFAULT ''
)
PRIMARY KEY id
SOURCE(CLICKHOUSE(/* credentials */ TABLE 'llm_price_load_in_force'))
LAYOUT(HASHED())
LIFETIME(MIN 600 MAX 900);

CREATE DICTIONARY IF NOT EXISTS llm_price_names_dict
(
    provider String,
    name String,
    valid_from Date,
    last_day Date,
    price_provider String DEFAULT '',
    price_model String DEFAULT '',
    model String DEFAULT '',
    status String DEFAULT '',
    reason String DEFAULT '',
    known Array(String)
)
PRIMARY KEY provider, name
SOURCE(CLICKHOUSE(/* credentials */ TABLE 'llm_price_names_in_force'))
LAYOUT(COMPLEX_KEY_RANGE_HASHED())
RANGE(MIN valid_from MAX last_day)
LIFETIME(MIN 600 MAX 900);

CREATE DICTIONARY IF NOT EXISTS llm_price_cards_dict
(
    price_provider String,
    price_model String,
    context String,
    valid_from Date,
    last_day Date,
    priced_as String DEFAULT '',
    status String DEFAULT 'unknown',
    reason String DEFAULT 'no_rates',
    expects_output UInt8 DEFAULT 0,
    hours_from Array(UInt16),
    hours_to Array(UInt16),
    hours_priced_as Array(String),
    hours_expect_output Array(UInt8)
)
PRIMARY KEY price_provider, price_model, context
SOURCE(CLICKHOUSE(/* credentials */ TABLE 'llm_price_cards_in_force'))
LAYOUT(COMPLEX_KEY_RANGE_HASHED())
RANGE(MIN valid_from MAX last_day)
LIFETIME(MIN 600 MAX 900);

CREATE DICTIONARY IF NOT EXISTS llm_prices_dict
(
    price_provider String,
    price_model String,
    context String,
    bucket String,
    valid_from Date,
    last_day Date,
    above Array(UInt64),
    rates Array(UInt64),
    once_per_call UInt8 DEFAULT 0,
    guessed UInt8 DEFAULT 0
)
PRIMARY KEY price_provider, price_model, context, bucket
SOURCE(CLICKHOUSE(/* credentials */ TABLE 'llm_prices_in_force'))
LAYOUT(COMPLEX_KEY_RANGE_HASHED())
RANGE(MIN valid_from MAX last_day)
LIFETIME(MIN 600 MAX 900);

-- The same traffic on another model: SELECT sum(cost), sum(what_if) FROM llm_what_if(provider = 'anthropic',
-- model = 'claude-haiku-4-5', context = '', valid = '2026-11-01') WHERE ts >= …
-- Prices are those of the day `valid`, or of each call's own day where it is 1970-01-01.  Tokens are taken to be as many
-- as they were: another model's tokenizer makes other tokens of the same text.  NULL: the call has no known quantities,
-- or the model no rate for one of them (`no_rate_for`).
CREATE VIEW IF NOT EXISTS llm_what_if AS
WITH
    asked AS
    (
        SELECT
            ts, project, feature, environment, service_name, provider, request_model, response_model, user_id, session_id,
            tags, batch, counted, cost, price_status, rates['other_models'] AS others, quantities,
            arrayFilter(one -> one.1 NOT IN ('request', 'other_models'), arrayZip(mapKeys(quantities), mapValues(quantities))) AS used,
            if({valid:Date} = toDate('1970-01-01'), toDate(ts, 'UTC'), {valid:Date}) AS day,
            toHour(ts, 'UTC') * 60 + toMinute(ts, 'UTC') AS minute,
            arraySum(one -> if(one.1 LIKE 'input%' OR one.1 LIKE 'cache\\_%', one.2, 0), used) AS tokens_in,
            usage_other['compaction_input_tokens'] AS compacted,
            if(compacted BETWEEN 1 AND tokens_in, greatest(tokens_in - compacted, compacted), tokens_in) AS prompt,
            dictGet('llm_price_names_dict', ('price_provider', 'price_model'), (lower({provider:String}), lower({model:String})), day) AS sheet
        FROM llm_calls
    ),
    carded AS
    (
        SELECT
            *,
            dictGet('llm_price_cards_dict', ('priced_as', 'status', 'hours_from', 'hours_to', 'hours_priced_as'),
                (sheet.1, sheet.2, {context:String}), day) AS card,
            arrayFirstIndex((f, t) -> if(f <= t, minute >= f AND minute < t, minute >= f OR minute < t), card.3, card.4) AS hour,
            if(hour = 0, card.1, card.5[hour]) AS priced_as
        FROM asked
    ),
    lined AS
    (
        SELECT
            *,
            arrayFilter(l -> l.1 != 'request' OR l.3 IS NOT NULL, arrayMap(
                (one, price) -> (
                    one.1,
                    if(price.3, 1, one.2),
                    if(empty(price.2), NULL, price.2[1 + arrayCount(above -> prompt > above, price.1)])),
                arrayConcat(used, [(CAST('request', 'LowCardinality(String)'), toUInt64(1))]),
                arrayMap(one -> dictGet('llm_prices_dict', ('above', 'rates', 'once_per_call'),
                    (sheet.1, sheet.2, priced_as, one.1), day),
                    arrayConcat(used, [(CAST('request', 'LowCardinality(String)'), toUInt64(1))])))) AS lines
        FROM carded
    )
SELECT
    ts, project, feature, environment, service_name, provider, request_model, response_model, user_id, session_id, tags,
    batch, counted, cost, price_status,
    arrayMap(l -> toString(l.1), arrayFilter(l -> l.3 IS NULL, lines)) AS no_rate_for,
    if(empty(used) OR card.2 = 'unknown' OR notEmpty(no_rate_for), NULL,
        CAST(toDecimal128(others + arraySum(l -> l.2 * toUInt128(ifNull(l.3, 0)), lines), 0)
            * toDecimal128('0.000000000001', 12), 'Decimal(38, 12)')) AS what_if
FROM lined;
