-- Every table, and whether its rows say whose they are.
SELECT t.name, countIf(c.name = 'project')
FROM system.tables AS t
LEFT JOIN system.columns AS c ON c.database = t.database AND c.table = t.name
WHERE t.database = currentDatabase()
GROUP BY t.name
