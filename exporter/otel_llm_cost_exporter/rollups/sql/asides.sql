-- What a rebuild that broke off has left.
SELECT name
FROM system.tables
WHERE database = currentDatabase() AND match(name, concat('^', {rollup:String}, '_rebuilt_[0-9]{6}$'))
ORDER BY name
