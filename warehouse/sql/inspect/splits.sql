-- How many queries and pairs each locale has to train on, to choose by and to be measured on.
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
