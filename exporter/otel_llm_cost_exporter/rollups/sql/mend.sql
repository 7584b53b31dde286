-- What the rollup lacks, or has too much, is added to it: one insert, one part.
INSERT INTO {rollup} ({columns})
SELECT {dimensions}, {lacking}
FROM ({differing})
SETTINGS max_bytes_before_external_group_by = 500000000, insert_deduplication_token = '{token}'
