-- The days that are built again, by what the view itself says.
INSERT INTO {aside} ({columns})
SELECT {columns}
FROM ({select})
WHERE toDate({time}) IN {days:Array(Date)}
SETTINGS max_bytes_before_external_group_by = 500000000
