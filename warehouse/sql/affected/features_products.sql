-- Products that changed.
select key from touched where "table" = 'staging.products'
