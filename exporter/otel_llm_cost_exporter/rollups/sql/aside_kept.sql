-- The days of the month that stay as they are.
INSERT INTO {aside}
SELECT *
FROM {rollup} FINAL
WHERE toYYYYMM({time}) = {month:UInt32} AND toDate({time}) NOT IN {days:Array(Date)}
