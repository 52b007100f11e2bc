-- Every query with its text and the features that the towers may read.
select
    queries.key,
    queries.query_id,
    queries.query,
    features.* exclude (key, input_hash)
from staging.queries as queries
join features.queries as features on features.key = queries.key
order by key
