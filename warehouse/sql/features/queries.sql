-- Features that depend on the query text and the fitted vocabulary alone. The searcher runs this file on one row, with the
-- vocabulary of its model. So this file may read only key, locale and query of staging.queries, and fitted.vocabulary.
with
queries as (
    select * from staging.queries
),
words as (
    select
        key,
        case  -- most queries are ASCII, and compiling the pattern of all Unicode letters would delay a search
            when strlen(query) = length(query) then regexp_extract_all(lower(query), '[a-z0-9]+')
            else regexp_extract_all(lower(query), '[\p{L}\p{N}]+')
        end as words
    from queries
),
phrases as (  -- every one to four adjacent words, joined as in the keys of brands and colors
    select
        key,
        unnest(flatten([[array_to_string(words[first:first + more], '') for more in range(4)] for first in range(1, len(words) + 1)]))
            as phrase
    from words
),
mentions as (
    select
        key,
        max_by(phrase, (length(phrase), phrase)) filter (kind = 'brand') as brand,
        max_by(phrase, (length(phrase), phrase)) filter (kind = 'color') as color
    from phrases
    join (select kind, value from fitted.vocabulary) as vocabulary on value = phrase
    where length(phrase) > 1
    group by key
)
select
    -- ids
    key,
    locale,
    -- text
    brand as query_brand,
    color as query_color,
    case
        when strlen(query) = length(query) then if(regexp_matches(query, '[A-Za-z]'), 'latin', null)
        else list_sort([
            {'letters': length(regexp_replace(query, '\P{Latin}+', '', 'g')), 'script': 'latin'},
            {'letters': length(regexp_replace(query, '[^\p{Hiragana}\p{Katakana}]+', '', 'g')), 'script': 'kana'},
            {'letters': length(regexp_replace(query, '\P{Han}+', '', 'g')), 'script': 'han'},
            {'letters': length(regexp_replace(query, '\P{Hangul}+', '', 'g')), 'script': 'hangul'},
            {'letters': length(regexp_replace(query, '\P{Cyrillic}+', '', 'g')), 'script': 'cyrillic'},
            {'letters': length(regexp_replace(query, '\P{Arabic}+', '', 'g')), 'script': 'arabic'},
            {'letters': 0, 'script': null}
        ], 'desc', 'nulls first')[1].script
    end as query_script,
    -- numbers
    length(query) as query_chars,
    len(string_split(query, ' ')) as query_words,
    len(regexp_extract_all(query, '[0-9]+')) as query_numbers,
    -- flags
    brand is not null as has_brand,
    color is not null as has_color,
    regexp_matches(lower(query), '\b(without|not|no|non|sin|excepto)\b|なし|無し|以外|ない') as has_negation
from queries
left join mentions using (key)
