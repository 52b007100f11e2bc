-- A few judged queries, drawn by a hash of key and seed: the same ones for the same data and seed.
select key, locale, query
from staging.queries
order by md5(concat($seed, ' ', key)), key
limit $queries
