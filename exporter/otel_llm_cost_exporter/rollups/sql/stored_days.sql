-- The days of a month of which there are rows.
SELECT DISTINCT toDate({time}, 'UTC') AS day
FROM {source}
WHERE toDate({time}, 'UTC') IN {days:Array(Date)}
ORDER BY day
