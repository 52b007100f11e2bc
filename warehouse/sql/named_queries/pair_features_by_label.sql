-- The value of each pair feature: its mean for every label, and the difference of Exact and Irrelevant in standard deviations.
-- Columns: feature, exact, substitute, complement, irrelevant, separation
with
long as (
    unpivot (
        select label, columns(pairs.* exclude (key, query_key, product_key, input_hash))::double
        from features.pairs as pairs
        join staging.judgements as judgements using (key)
    )
    on columns(* exclude label)
    into name feature value value
)
select
    feature,
    avg(value) filter (label = 'E') as exact,
    avg(value) filter (label = 'S') as substitute,
    avg(value) filter (label = 'C') as complement,
    avg(value) filter (label = 'I') as irrelevant,
    (exact - irrelevant) / nullif(stddev(value), 0) as separation
from long
group by feature
order by abs(separation) desc nulls last, feature
