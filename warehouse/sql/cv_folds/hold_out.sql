-- Hold out one fold of the queries, by half of a hash of their text; the other half selects the validation queries.
update staging.queries
set split = if(md5_number_upper(concat(locale, ':', lower(query))) % $folds = $fold - 1, 'test', 'train')
