-- Products of one locale that share a title: variants, or one product listed several times.
-- Columns: locale, title, products, brands, product_ids
select
    locale,
    title,
    count(*) as products,
    count(distinct brand_key) as brands,
    list(product_id order by product_id)[:5] as product_ids
from staging.products
group by locale, title
having count(*) > 1
order by products desc, locale, title
limit 50
