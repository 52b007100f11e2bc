-- The number of queries with an Exact product, by split.
select split, count(distinct query_key) as queries
from training.pairs
where label = 'E'
group by split
