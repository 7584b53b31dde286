-- The columns of a rollup that its view fills.
SELECT name, type
FROM system.columns
WHERE database = currentDatabase() AND table = {rollup:String}
    AND name IN (SELECT name FROM system.columns WHERE database = currentDatabase() AND table = {view:String})
ORDER BY position
