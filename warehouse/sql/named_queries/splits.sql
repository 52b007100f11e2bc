-- The number of queries and pairs of each locale for training, validation and test.
-- Columns: locale, split, queries, pairs, exact_pairs
select
    locale,
    split,
    count(distinct query_key) as queries,
    count(*) as pairs,
    count(*) filter (label = 'E') as exact_pairs
from training.pairs
group by locale, split
order by locale, split
