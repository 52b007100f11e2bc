-- A few titles of each locale, the same ones for the same data.
select locale, unnest(arg_min(title, md5(key), $titles)) as title
from staging.products
group by locale
