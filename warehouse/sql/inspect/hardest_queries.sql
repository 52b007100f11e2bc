-- Test queries whose Exact products the model finds last in the whole catalog, beside what BM25 makes of them.
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
