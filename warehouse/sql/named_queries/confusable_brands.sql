-- Brands that the model confuses: a product of another brand that is not Exact ranks above an Exact product of the brand.
-- Columns: brand, ranked_above_it, confusions, queries, example_query
with
ranked as (
    select
        rankings.model_id, rankings.locale, rankings.query_id, rankings.query, rankings.label, rankings.model_rank,
        products.brand_key,
        products.brand
    from evaluation.rankings as rankings
    join staging.products as products
        on products.locale = rankings.locale and products.product_id = rankings.product_id
    where products.brand_key is not null
        -- only the rankings of the live model
        and rankings.model_id = (select arg_max(model_id, release) from vectors.releases)
)
select
    arg_min(exact.brand, exact.brand) as brand,
    arg_min(other.brand, other.brand) as ranked_above_it,
    count(*) as confusions,
    count(distinct (exact.locale, exact.query_id)) as queries,
    min(exact.query) as example_query
from ranked as exact
join ranked as other
    on other.locale = exact.locale
    and other.query_id = exact.query_id
    and other.brand_key <> exact.brand_key
    and other.model_rank < exact.model_rank
where exact.label = 'E' and other.label <> 'E'
group by exact.brand_key, other.brand_key
order by queries desc, confusions desc, brand, ranked_above_it
limit 50
