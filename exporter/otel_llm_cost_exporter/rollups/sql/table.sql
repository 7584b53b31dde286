-- What the database itself says of a table or view.
SELECT engine, partition_key, sorting_key, as_select
FROM system.tables
WHERE database = currentDatabase() AND name = {name:String}
