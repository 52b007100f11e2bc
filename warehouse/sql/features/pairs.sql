-- How a query's words, numbers, amounts, brand and color fit a product. A search computes the same columns for its candidates
-- by this file. So it may read only what warehouse/features/pair_features.py fills.
with
judgements as (
    select key, query_key, product_key from staging.judgements
),
-- Words stand between blanks, so that contains() matches only whole ones.
queries as (
    select
        key,
        locale,
        query_brand,
        query_color,
        concat(' ', words, ' ') as phrase,
        regexp_extract_all(lower(query), '[\p{L}\p{N}]+') as plain_words,
        if(words = '', [], string_split(words, ' ')) as words,
        if(amounts = '', [], string_split(amounts, ' ')) as asked_amounts
    from staging.queries
    join (select key, query_brand, query_color from features.queries) as named using (key)
),
phrases as (  -- every one to four adjacent words, as features.queries finds brands and colors
    select
        *,
        concat(' ', array_to_string(plain_words, ' '), ' ') as plain_query,
        flatten([
            [array_to_string(plain_words[first:first + more], ' ') for more in range(4)] for first in range(1, len(plain_words) + 1)
        ]) as plain_phrases
    from queries
),
asked as (
    select
        * exclude (plain_words, plain_phrases),
        list_filter(plain_phrases, lambda each: replace(each, ' ', '') = query_brand)[1] as brand_phrase,
        list_filter(plain_phrases, lambda each: replace(each, ' ', '') = query_color)[1] as color_phrase,
        list_transform(list_zip(words[:-2], words[2:]), lambda pair: concat(' ', pair[1], ' ', pair[2], ' ')) as neighbors,
        list_distinct(list_transform(asked_amounts, lambda amount: string_split(amount, '=')[1])) as asked_measures
    from phrases
),
products as (
    select
        key,
        concat(' ', title_words, ' ') as title,
        concat(' ', body_words, ' ') as body,
        if(title_words = '', 0, len(string_split(title_words, ' '))) as title_length,
        if(body_words = '', 0, len(string_split(body_words, ' '))) as body_length,
        concat(
            ' ', array_to_string(regexp_extract_all(lower(concat_ws(' ', title, brand, color)), '[\p{L}\p{N}]+'), ' '), ' '
        ) as plain_title,
        if(amounts = '', [], string_split(amounts, ' ')) as amounts,
        nullif(concat(' ', array_to_string(regexp_extract_all(lower(brand), '[\p{L}\p{N}]+'), ' '), ' '), '  ') as brand,
        nullif(concat(' ', array_to_string(regexp_extract_all(lower(color), '[\p{L}\p{N}]+'), ' '), ' '), '  ') as color
    from staging.products
    where key in (select product_key from judgements)
),
query_words as (
    select each.key as query_key, each.word, coalesce(known.weight, unknown.weight, 1) as weight
    from (select key, locale, unnest(list_distinct(words)) as word from queries) as each
    left join (select locale, word, weight from fitted.words) as known on known.locale = each.locale and known.word = each.word
    left join (select locale, weight from fitted.words where word = '') as unknown on unknown.locale = each.locale
),
matched as (
    select
        judgements.key,
        word,
        weight,
        contains(title, concat(' ', word, ' ')) as in_title,
        contains(body, concat(' ', word, ' ')) as in_body,
        regexp_full_match(word, '\d+') as is_number,
        strpos(title, concat(' ', word, ' ')) as place
    from judgements
    join query_words using (query_key)
    join products on products.key = judgements.product_key
),
counted as (
    select
        key,
        count(word) as distinct_words,
        count(word) filter (in_title) as title_matches,
        count(word) filter (in_body) as body_matches,
        count(word) filter (in_title or in_body) as matches,
        sum(weight) as weight,
        coalesce(sum(weight) filter (in_title), 0) as title_weight,
        coalesce(sum(weight) filter (in_body), 0) as body_weight,
        coalesce(sum(weight) filter (in_title or in_body), 0) as matched_weight,
        count(word) filter (is_number) as numbers,
        count(word) filter (is_number and in_title) as title_numbers,
        min(place) filter (in_title) as first_place
    from matched
    group by key
),
joined as (
    select
        judgements.key,
        judgements.query_key,
        judgements.product_key,
        asked.* exclude (key, locale),
        products.* exclude (key),
        counted.* exclude (key),
        list_intersect(asked_amounts, amounts) as common_amounts,
        list_intersect(asked_measures, list_transform(amounts, lambda amount: string_split(amount, '=')[1])) as common_measures
    from judgements
    join asked on asked.key = judgements.query_key
    join products on products.key = judgements.product_key
    left join counted on counted.key = judgements.key
),
fitted as (
    select
        *,
        -- scripts without spaces have no whole words to look for
        coalesce(contains(plain_query, brand), false)
            or coalesce(contains(plain_title, ' ' || brand_phrase || ' '), false)
            or coalesce(regexp_matches(brand_phrase, '[\p{Han}\p{Hiragana}\p{Katakana}\p{Hangul}]') and contains(plain_title, brand_phrase), false)
            as meets_brand,
        coalesce(contains(plain_query, color), false)
            or coalesce(contains(plain_title, ' ' || color_phrase || ' '), false)
            or coalesce(regexp_matches(color_phrase, '[\p{Han}\p{Hiragana}\p{Katakana}\p{Hangul}]') and contains(plain_title, color_phrase), false)
            as meets_color,
        -- BM25 of a word that occurs once, at k1 0.3 and b 0.6 for the title, and 1.2 and 0.75 for bullet points and description;
        -- 20 and 100 words stand for the mean lengths, so that no other product moves a score.
        coalesce(title_weight, 0) / (1 + 0.3 * (0.4 + 0.6 * title_length / 20)) as title_score,
        coalesce(body_weight, 0) / (1 + 1.2 * (0.25 + 0.75 * body_length / 100)) as body_score
    from joined
)
select
    -- ids
    key,
    query_key,
    product_key,
    -- numbers
    coalesce(distinct_words, 0) as query_length,
    title_length,
    title_score + 0.3 * body_score as text_score,
    title_score,
    body_score,
    coalesce(matches / distinct_words, 0) as matched_share,
    coalesce(matched_weight / weight, 0) as matched_weight,
    coalesce(title_weight / weight, 0) as title_weight,
    coalesce(body_weight / weight, 0) as body_weight,
    coalesce(title_matches / greatest(title_length, 1), 0) as title_share,
    if(len(neighbors) > 0, len(list_filter(neighbors, lambda each: contains(title, each))) / len(neighbors), null) as adjacent_share,
    len(string_split(left(title, first_place), ' ')) - 1 as first_position,
    if(numbers > 0, title_numbers / numbers, null) as number_share,
    if(len(asked_amounts) > 0, len(common_amounts) / len(asked_amounts), null) as amount_share,
    -- flags
    len(words) > 0 and contains(title, phrase) as has_phrase,
    len(words) > 0 and contains(title, concat(' ', words[1], ' ')) as has_first_word,
    len(words) > 0 and contains(title, concat(' ', words[-1], ' ')) as has_last_word,
    len(common_measures) > len(list_distinct(list_transform(common_amounts, lambda amount: string_split(amount, '=')[1]))) as has_other_amount,
    case
        when meets_brand then 1
        when query_brand is null then null
        when brand is null then 0
        else -1
    end as brand_fit,
    case
        when meets_color then 1
        when query_color is null then null
        when color is null then 0
        else -1
    end as color_fit
from fitted
