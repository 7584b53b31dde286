-- Databases of readers that are there.
SELECT name FROM system.databases WHERE match(name, '^reader_[0-9a-f]{16}$') AND engine = 'Memory'
