-- The groups in which a rollup is not what its view makes of the rows that are stored now, with both sums.  Compared one
-- by one, so that two mistakes of one day do not hide each other.
SELECT {dimensions}, {sides}
FROM
(
    SELECT true AS raw, {dimensions}, {values} FROM ({select}) WHERE toDate({time}) IN {days:Array(Date)}
    UNION ALL
    SELECT false AS raw, {dimensions}, {values} FROM {rollup} WHERE toDate({time}) IN {days:Array(Date)}
)
GROUP BY {dimensions}
HAVING {differ}
