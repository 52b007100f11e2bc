-- How a query's words, numbers, amounts, brand and color fit a product. A search computes the same columns for its candidates
-- by this file. So it may read only what warehouse/features/pair_features.py fills. For so few rows, to plan joins and to compile
-- regular expressions takes longer than to compute: words are compared in lists, and signs replaced one by one.
with
queries as (
    select
        key,
        locale,
        query_brand,
        query_color,
        if(words = '', [], string_split(words, ' ')) as words,
        if(amounts = '', [], string_split(amounts, ' ')) as asked_amounts,
        list_filter(string_split(replace(replace(translate(lower(query), '.,;:!?()[]{}"''/\|-_+*&%$#@<>=~`^、。・「」（）【】—–…“”‘’«»·•™®©', '                                                       '), '  ', ' '), '  ', ' '), ' '), lambda word: word <> '') as plain_words
    from staging.queries
    join (select key, query_brand, query_color from features.queries) as mentions using (key)
),
weighted as (  -- each distinct word of a query with its weight; the empty word has the weight of a word that no product has
    select
        each.key,
        list(struct_pack(word := each.word, weight := coalesce(known.weight, unknown.weight, 1)) order by each.word) as terms
    from (select key, locale, unnest(list_distinct(words)) as word from queries) as each
    left join (select locale, word, weight from fitted.words) as known on known.locale = each.locale and known.word = each.word
    left join (select locale, weight from fitted.words where word = '') as unknown on unknown.locale = each.locale
    group by each.key
),
phrases as (  -- every one to four adjacent words, as features.queries finds brands and colors
    select
        * exclude (plain_words),
        concat(' ', array_to_string(plain_words, ' '), ' ') as plain_query,
        flatten([
            [array_to_string(plain_words[first:first + more], ' ') for more in range(4)] for first in range(1, len(plain_words) + 1)
        ]) as plain_phrases
    from queries
),
asked as (  -- words stand between blanks, so that contains() matches only whole ones
    select
        key,
        concat(' ', words[1], ' ') as first_word,
        concat(' ', words[-1], ' ') as last_word,
        concat(' ', array_to_string(words, ' '), ' ') as phrase,
        list_transform(list_zip(words[:-2], words[2:]), lambda pair: concat(' ', pair[1], ' ', pair[2], ' ')) as neighbors,
        asked_amounts,
        list_distinct(list_transform(asked_amounts, lambda amount: string_split(amount, '=')[1])) as asked_measures,
        plain_query,
        query_brand,
        query_color,
        list_filter(plain_phrases, lambda each: replace(each, ' ', '') = query_brand)[1] as brand_phrase,
        list_filter(plain_phrases, lambda each: replace(each, ' ', '') = query_color)[1] as color_phrase,
        coalesce(terms, []) as terms,
        len(words) > 0 as has_words
    from phrases
    left join weighted using (key)
),
products as (
    select
        key,
        concat(' ', title_words, ' ') as title,
        concat(' ', body_words, ' ') as body,
        if(title_words = '', 0, len(string_split(title_words, ' '))) as title_length,
        if(body_words = '', 0, len(string_split(body_words, ' '))) as body_length,
        if(amounts = '', [], string_split(amounts, ' ')) as amounts,
        -- title, brand and color in lines of one text, so that signs are replaced once
        string_split(
            replace(replace(translate(lower(concat(' ', title, ' ', chr(10), ' ', brand, ' ', chr(10), ' ', color, ' ')), '.,;:!?()[]{}"''/\|-_+*&%$#@<>=~`^、。・「」（）【】—–…“”‘’«»·•™®©', '                                                       '), '  ', ' '), '  ', ' '),
            chr(10)
        ) as lines
    from staging.products
),
named as (
    select
        * exclude (lines),
        replace(array_to_string(lines, ''), '  ', ' ') as plain_title,
        nullif(lines[2], ' ') as brand,
        nullif(lines[3], ' ') as color
    from products
),
joined as (
    select
        judgements.key,
        judgements.query_key,
        judgements.product_key,
        asked.* exclude (key),
        named.* exclude (key),
        list_filter(terms, lambda term: contains(title, concat(' ', term.word, ' '))) as in_title,
        list_filter(terms, lambda term: contains(body, concat(' ', term.word, ' '))) as in_body,
        list_filter(
            terms, lambda term: contains(title, concat(' ', term.word, ' ')) or contains(body, concat(' ', term.word, ' '))
        ) as in_either,
        list_filter(terms, lambda term: try_cast(term.word as bigint) is not null) as numbers,
        list_intersect(asked_amounts, amounts) as common_amounts,
        list_intersect(asked_measures, list_transform(amounts, lambda amount: string_split(amount, '=')[1])) as common_measures
    from (select key, query_key, product_key from staging.judgements) as judgements
    join asked on asked.key = judgements.query_key
    join named on named.key = judgements.product_key
),
summed as (
    select
        *,
        list_sum(list_transform(terms, lambda term: term.weight)) as weight,
        coalesce(list_sum(list_transform(in_title, lambda term: term.weight)), 0) as title_sum,
        coalesce(list_sum(list_transform(in_body, lambda term: term.weight)), 0) as body_sum,
        coalesce(list_sum(list_transform(in_either, lambda term: term.weight)), 0) as either_sum,
        list_min(list_transform(in_title, lambda term: strpos(title, concat(' ', term.word, ' ')))) as first_place,
        -- scripts without spaces have no whole words to look for
        coalesce(contains(plain_query, brand), false)
            or coalesce(contains(plain_title, ' ' || brand_phrase || ' '), false)
            or coalesce(strlen(brand_phrase) > length(brand_phrase) and contains(plain_title, brand_phrase), false)
            as meets_brand,
        coalesce(contains(plain_query, color), false)
            or coalesce(contains(plain_title, ' ' || color_phrase || ' '), false)
            or coalesce(strlen(color_phrase) > length(color_phrase) and contains(plain_title, color_phrase), false)
            as meets_color
    from joined
),
scored as (
    select
        *,
        -- BM25 of a word that occurs once, at k1 0.3 and b 0.6 for the title, and 1.2 and 0.75 for bullet points and description;
        -- 20 and 100 words stand for the mean lengths, so that no other product moves a score.
        title_sum / (1 + 0.3 * (0.4 + 0.6 * title_length / 20)) as title_score,
        body_sum / (1 + 1.2 * (0.25 + 0.75 * body_length / 100)) as body_score
    from summed
)
select
    -- ids
    key,
    query_key,
    product_key,
    -- numbers
    len(terms) as query_length,
    title_length,
    title_score + 0.3 * body_score as text_score,
    title_score,
    body_score,
    coalesce(len(in_either) / nullif(len(terms), 0), 0) as matched_share,
    coalesce(either_sum / weight, 0) as matched_weight,
    coalesce(title_sum / weight, 0) as title_weight,
    coalesce(body_sum / weight, 0) as body_weight,
    len(in_title) / greatest(title_length, 1) as title_share,
    if(len(neighbors) > 0, len(list_filter(neighbors, lambda each: contains(title, each))) / len(neighbors), null) as adjacent_share,
    len(string_split(left(title, first_place), ' ')) - 1 as first_position,
    if(
        len(numbers) > 0,
        len(list_filter(numbers, lambda term: contains(title, concat(' ', term.word, ' ')))) / len(numbers),
        null
    ) as number_share,
    if(len(asked_amounts) > 0, len(common_amounts) / len(asked_amounts), null) as amount_share,
    -- flags
    has_words and contains(title, phrase) as has_phrase,
    has_words and contains(title, first_word) as has_first_word,
    has_words and contains(title, last_word) as has_last_word,
    len(common_measures) > len(list_distinct(list_transform(common_amounts, lambda amount: string_split(amount, '=')[1])))
        as has_other_amount,
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
from scored
