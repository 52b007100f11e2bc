-- All of it, once a judgement or a split changed, or a product that the train split judges: shares hang on every count.
with
moved as (
    select count(*) > 0 as has_moved
    from (
        select key from touched where "table" in ('staging.judgements', 'training.queries')
        union all
        select judgements.product_key as key
        from staging.judgements as judgements
        join training.queries as queries on queries.key = judgements.query_key
        where
            queries.split = 'train'
            and judgements.product_key in (select key from touched where "table" = 'staging.products')
    )
)
select key from fitted.vocabulary, moved where has_moved
union all
select '' as key from moved where has_moved
