-- The words of synonyms that a larger share of a locale's products has in title, brand or color than $most.
with
words as (
    select locale, unnest(list_distinct(string_split(title_words, ' '))) as word from staging.products
),
catalogs as (
    select locale, count(*) as catalog from staging.products group by locale
)
select locale, word, count(*) / catalog as share
from words
join catalogs using (locale)
semi join searched_words using (word)
group by locale, word, catalog
having count(*) > $most * catalog
