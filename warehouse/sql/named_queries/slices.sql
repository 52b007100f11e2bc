-- The lead of the live model over its encoder for each kind of query, by recall@10 and nDCG, with 95 % intervals; worst first.
-- Columns: locale, slice, part, metric, model, encoder, difference, low, high, queries
-- With too few queries (setting release.min_queries) a difference has no interval.
with
measured as (
    select *
    from evaluation.metrics
    where metric in ('recall@10', 'ndcg_two_gains')
        and model_id = (select arg_max(model_id, release) from vectors.releases)
)
select
    locale,
    slice,
    part,
    metric,
    max(value) filter (ranker = 'model') as model,
    max(value) filter (ranker = 'encoder') as encoder,
    max(value) filter (ranker = 'model_minus_encoder') as difference,
    max(low) filter (ranker = 'model_minus_encoder') as low,
    max(high) filter (ranker = 'model_minus_encoder') as high,
    max(queries) as queries
from measured
group by all
having difference is not null
order by metric, difference, locale, slice, part
