-- How many products of a locale have each word in title, brand or color, and the weight of the word in a match. The empty word
-- stands for every word that no product has. Only a build refreshes the table: an apply leaves the weights as they are.
with
products as (
    select locale, list_distinct(string_split(title_words, ' ')) as words from staging.products where title_words <> ''
),
catalogs as (
    select locale, count(words) as catalog from products group by locale
),
counted as (
    select locale, word, count(word) as products
    from (select locale, unnest(words) as word from products)
    group by all
    union all
    select locale, '' as word, 0 as products from catalogs
)
select
    -- ids
    concat(locale, ':', word) as key,
    -- text
    locale,
    word,
    -- numbers
    products,
    -- the inverse document frequency of Lucene's BM25 (Kamphuis et al., 2020)
    ln(1 + (catalog - products + 0.5) / (products + 0.5)) as weight
from counted
join catalogs using (locale)
