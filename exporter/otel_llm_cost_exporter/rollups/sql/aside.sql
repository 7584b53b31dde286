-- A table to build a partition in: no replica, and no memory of blocks, of which two may be equal for good reason.
CREATE TABLE {aside} AS {rollup}
ENGINE = {engine}
PARTITION BY {partition}
ORDER BY ({order})
