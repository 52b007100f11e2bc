-- Brands that the model mixes up: a product of the wrong brand, not Exact, ranked above an Exact one of the right brand.
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
        -- the live model's rankings alone
        and rankings.model_id = (select arg_max(model_id, release) from vectors.releases)
)
select
    arg_min(wanted.brand, wanted.brand) as brand,
    arg_min(found.brand, found.brand) as ranked_above_it,
    count(*) as confusions,
    count(distinct (wanted.locale, wanted.query_id)) as queries,
    min(wanted.query) as example_query
from ranked as wanted
join ranked as found
    on found.locale = wanted.locale
    and found.query_id = wanted.query_id
    and found.brand_key <> wanted.brand_key
    and found.model_rank < wanted.model_rank
where wanted.label = 'E' and found.label <> 'E'
group by wanted.brand_key, found.brand_key
order by queries desc, confusions desc, brand, ranked_above_it
limit 50
