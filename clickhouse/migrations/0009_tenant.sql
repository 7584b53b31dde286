-- The project that the sender's API key is bound to (empty: no key).  One call has one bill among the calls of one
-- tenant: what another sends under the same ids is another call.  `project` is whose cost it is, and may be named by
-- the payload where the key allows it.
ALTER TABLE llm_calls ADD COLUMN IF NOT EXISTS tenant LowCardinality(String) AFTER service_name;
