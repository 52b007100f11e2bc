-- The ten test queries with the lowest nDCG by the model: every judged product with its rank by each ranker, and its title.
-- Columns: locale, query_id, query, ndcg, model_rank, label, product_id, title, encoder_rank, bm25_rank, model_catalog_rank, encoder_catalog_rank, bm25_catalog_rank
with
worst as (
    select model_id, locale, query_id, ndcg
    from evaluation.queries
    where ranker = 'model'
        and distinct_gains > 1  -- with one gain every order has the same nDCG
        and model_id = (select arg_max(model_id, release) from vectors.releases)
    order by ndcg, locale, query_id
    limit 10
)
select
    rankings.locale,
    rankings.query_id,
    rankings.query,
    worst.ndcg,
    rankings.model_rank,
    rankings.label,
    rankings.product_id,
    products.title,
    rankings.encoder_rank,
    rankings.bm25_rank,
    rankings.model_catalog_rank,
    rankings.encoder_catalog_rank,
    rankings.bm25_catalog_rank
from evaluation.rankings as rankings
join worst using (model_id, locale, query_id)
left join staging.products as products
    on products.locale = rankings.locale and products.product_id = rankings.product_id
order by worst.ndcg, rankings.locale, rankings.query_id, rankings.model_rank
