-- What a view can be made of: every table that holds rows, and the views without parameters, with their columns in order.
SELECT t.name, groupArray((c.name, c.type))
FROM
(
    SELECT database, table, name, type
    FROM system.columns
    WHERE database = currentDatabase()
    ORDER BY table, position
) AS c
JOIN system.tables AS t ON t.database = c.database AND t.name = c.table
WHERE t.engine LIKE '%MergeTree' OR (t.engine = 'View' AND empty(t.parameterized_view_parameters))
GROUP BY t.name
