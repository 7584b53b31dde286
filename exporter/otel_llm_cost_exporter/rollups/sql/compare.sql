-- By day: nothing comes back where rows and rollup agree.
SELECT toDate({time}) AS day, count() AS groups, {totals}
FROM ({differing})
GROUP BY day
ORDER BY day
SETTINGS max_bytes_before_external_group_by = 500000000
