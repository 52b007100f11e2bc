-- The hash of every cleaned product's content, by which the text index is compared.
select key, right(input_hash, 16) as input_hash from staging.products
