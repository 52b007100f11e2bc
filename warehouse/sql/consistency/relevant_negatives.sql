-- The number of hard negatives that are judged E, S or C for their query, or for one with the same text; it must be 0.
select count(distinct negatives.key)
from training.negatives as negatives
join staging.queries as mined on mined.key = negatives.query_key
join staging.queries as same on same.locale = mined.locale and lower(same.query) = lower(mined.query)
join staging.judgements as judgements
    on judgements.query_key = same.key and judgements.product_key = negatives.product_key
where judgements.label <> 'I'
