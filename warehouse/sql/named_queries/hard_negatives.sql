-- Hard negatives of the train queries: products that score nearly as high as the Exact one, but nobody judged relevant.
-- Columns: locale, query, exact_title, exact_score, title, brand, score, rank, label
select
    products.locale,
    queries.query,
    exact.title as exact_title,
    negatives.positive_score as exact_score,
    products.title,
    products.brand,
    negatives.score,
    negatives.rank,
    negatives.label
from training.negatives as negatives
join staging.queries as queries on queries.key = negatives.query_key
join staging.products as products on products.key = negatives.product_key
join staging.products as exact on exact.key = negatives.positive_key
order by negatives.score / negatives.positive_score desc, negatives.key
limit 50
