-- The days that a run corrects calls of.
SELECT DISTINCT toDate(ts, 'UTC') AS day FROM price_corrections WHERE run = {run:UUID} ORDER BY day
