-- The brands and colors of the judged products of the train split. No other data affects them, and each model keeps a copy.
with
trained as (
    select distinct judgements.product_key as key
    from staging.judgements as judgements
    join splits.queries as queries on queries.key = judgements.query_key
    where queries.split = 'train'
),
products as (
    select brand_key, color_key from staging.products join trained using (key)
),
named as (
    select 'brand' as kind, brand_key as value from products where brand_key is not null
    union all
    select 'color' as kind, color_key as value from products where color_key is not null
),
counted as (
    select kind, value, count(value) as products from named group by all
)
select
    -- ids
    concat(kind, ':', value) as key,
    row_number() over (partition by kind order by products desc, value) as id,
    -- text
    kind,
    value,
    -- numbers
    products,
    products / sum(products) over (partition by kind) as share
from counted
