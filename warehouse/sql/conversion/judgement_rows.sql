-- One row per row of a judgements source, typed, with everything that is wrong with it.
with
files as (
    select file, row_number() over (order by file) as file_number from (select distinct file from source_rows)
),
written as (
    select found.label, spellings.label as named_label, grade_of(found.label) as grade
    from (select distinct label from source_rows) as found
    left join spellings on spellings.spelling = spelled(found.label)
),
named as (
    select
        source_rows.*,
        files.file_number as file_place,
        folded,
        number,
        folded_queries.split as derived_split,
        written.named_label,
        case when $exact is not null then written.grade end as grade,
        splits.split as named_split
    from source_rows
    join files using (file)
    left join folded_queries using (locale, query)
    left join written on written.label = source_rows.label
    left join splits on splits.spelling = spelled(source_rows.split)
)
select
    -- place
    file,
    row,
    (file_place << 40) + row as place,
    -- ids
    locale,
    case when $has_query_id then id_of(query_id) else number end as query_id,
    product_id,
    id_of(example_id) as example_id,
    -- values
    query,
    case
        when $exact is null then named_label
        when grade is not null then label_at(grade::double, $exact, $substitute, $complement)
    end as label,
    grade,
    case when $has_split then named_split else derived_split end as split,
    case when not $has_small_version then 1 when is_whole(small_version) then small_version::bigint end as small_version,
    case when not $has_large_version then 1 when is_whole(large_version) then large_version::bigint end as large_version,
    time_of(event_time) as event_time,
    case when not is_blank(context_key) then context_key end as context_key,
    -- faults
    problem_if(folded is null, 'query', query, 'query_blank')
    || problem_if(is_blank(product_id), 'product_id', product_id, 'product_id_missing')
    || problem_if(is_blank(label), 'label', label, 'label_missing')
    || problem_if(not is_blank(label) and $exact is null and named_label is null, 'label', label, 'unknown_label')
    || problem_if(not is_blank(label) and $exact is not null and grade is null, 'label', label, 'label_wrong_type')
    || problem_if($has_query_id and is_blank(query_id), 'query_id', query_id, 'query_id_missing')
    || problem_if(is_decimal(query_id), 'query_id', query_id, 'query_id_wrong_type')
    || problem_if($has_example_id and is_blank(example_id), 'example_id', example_id, 'example_id_missing')
    || problem_if(is_decimal(example_id), 'example_id', example_id, 'example_id_wrong_type')
    || problem_if($has_small_version and not is_whole(coalesce(small_version, '')), 'small_version', small_version, 'small_version_wrong_type')
    || problem_if($has_large_version and not is_whole(coalesce(large_version, '')), 'large_version', large_version, 'large_version_wrong_type')
    || problem_if($has_split and named_split is null, 'split', split, 'unknown_split')
    || time_problems(event_time, $now) as problems
from named
