-- Products that changed.
select key from touched where "table" = 'raw.products'
