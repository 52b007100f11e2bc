-- Test queries whose first Exact product has the lowest rank in the whole catalog by the model, with its rank by BM25.
-- Columns: locale, query_id, query, first_exact_rank, bm25_first_exact_rank, exact_products
select
    locale,
    query_id,
    query,
    min(model_catalog_rank) as first_exact_rank,
    min(bm25_catalog_rank) as bm25_first_exact_rank,
    count(*) as exact_products
from evaluation.rankings
where label = 'E' and model_id = (select arg_max(model_id, release) from vectors.releases)
group by all
order by first_exact_rank desc, locale, query_id
limit 50
