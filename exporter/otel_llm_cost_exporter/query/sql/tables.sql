-- What the store holds.
SELECT name FROM system.tables WHERE database = currentDatabase()
