-- How many corrections of a run are stored.
SELECT count() AS corrections FROM price_corrections WHERE run = {run:UUID}
