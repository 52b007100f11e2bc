-- Every product with the text that is encoded and the features that the towers may read.
select
    products.key,
    products.product_id,
    products.locale,
    products.title,
    products.brand,
    products.color,
    features.* exclude (key, product_id, locale, input_hash),
    features.input_hash as feature_hash
from staging.products as products
join features.products as features on features.key = products.key
order by locale, product_id
