-- Exact products that the model ranks lowest in the whole catalog: facts that its vectors do not capture.
-- Columns: locale, query, product_id, title, brand, model_rank, encoder_rank, bm25_rank, model_catalog_rank
select
    rankings.locale,
    rankings.query,
    rankings.product_id,
    products.title,
    products.brand,
    rankings.model_rank,
    rankings.encoder_rank,
    rankings.bm25_rank,
    rankings.model_catalog_rank
from evaluation.rankings as rankings
join staging.products as products
    on products.locale = rankings.locale and products.product_id = rankings.product_id
where rankings.label = 'E' and rankings.model_id = (select arg_max(model_id, release) from vectors.releases)
order by rankings.model_catalog_rank desc, rankings.key
limit 50
