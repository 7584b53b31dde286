-- The months of which there are rows in a rollup or its source.
SELECT DISTINCT toStartOfMonth(toDate({source_time}, 'UTC')) AS month FROM {source}
UNION DISTINCT
SELECT DISTINCT toStartOfMonth(toDate({time})) AS month FROM {rollup}
ORDER BY month
