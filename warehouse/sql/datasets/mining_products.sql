-- Every product with the text that is encoded, in the order in which equal scores are ranked.
select key, locale, title, brand, color
from staging.products
order by locale, key
