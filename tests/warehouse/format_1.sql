-- The tables of a home of format 1, as the last version that wrote it made them.
CREATE SCHEMA raw;
CREATE SCHEMA quarantine;
CREATE SCHEMA staging;
CREATE SCHEMA training;
CREATE SCHEMA fitted;
CREATE SCHEMA features;
CREATE SCHEMA evaluation;
CREATE SCHEMA monitoring;
CREATE SCHEMA registry;
CREATE TABLE raw.files (key VARCHAR, name VARCHAR, sha256 VARCHAR, size_bytes BIGINT, "rows" BIGINT, as_of TIMESTAMP
WITH TIME ZONE, after_arrival BIGINT, input_hash VARCHAR);
CREATE TABLE raw.products (key VARCHAR, product_id VARCHAR, product_locale VARCHAR, product_title VARCHAR,
product_description VARCHAR, product_bullet_point VARCHAR, product_brand VARCHAR, product_color VARCHAR, input_hash
VARCHAR);
CREATE TABLE raw.judgements (key VARCHAR, example_id BIGINT, query VARCHAR, query_id BIGINT, product_id VARCHAR,
product_locale VARCHAR, esci_label VARCHAR, small_version BIGINT, large_version BIGINT, split VARCHAR, event_time
TIMESTAMP WITH TIME ZONE, context_key VARCHAR, input_hash VARCHAR);
CREATE TABLE raw.sources (key VARCHAR, query_id BIGINT, source VARCHAR, input_hash VARCHAR);
CREATE TABLE raw.deltas (key VARCHAR, arrival BIGINT, name VARCHAR, sha256 VARCHAR, size_bytes BIGINT, "table"
VARCHAR, "rows" BIGINT, upserts BIGINT, deletes BIGINT, refused BIGINT, inserted BIGINT, updated BIGINT, deleted
BIGINT, unchanged BIGINT, unknown BIGINT, overruled BIGINT, stale BIGINT, snapshot BIGINT, input_hash VARCHAR);
CREATE TABLE raw.events (key VARCHAR, "table" VARCHAR, row_key VARCHAR, op VARCHAR, event_time TIMESTAMP WITH TIME
ZONE, arrival BIGINT, input_hash VARCHAR);
CREATE TABLE quarantine.rows (id VARCHAR, "table" VARCHAR, key VARCHAR, rule VARCHAR, row VARCHAR, input_hash
VARCHAR);
CREATE TABLE staging.products (key VARCHAR, product_id VARCHAR, locale VARCHAR, title VARCHAR, description VARCHAR,
bullet_points VARCHAR, brand VARCHAR, brand_key VARCHAR, color VARCHAR, color_key VARCHAR, input_hash VARCHAR);
CREATE TABLE staging.queries (key VARCHAR, query_id BIGINT, locale VARCHAR, query VARCHAR, split VARCHAR, source
VARCHAR, input_hash VARCHAR);
CREATE TABLE staging.judgements (key VARCHAR, query_key VARCHAR, product_key VARCHAR, locale VARCHAR, query_id
BIGINT, product_id VARCHAR, label VARCHAR, split VARCHAR, small_version BOOLEAN, context_key VARCHAR, judged_at
TIMESTAMP WITH TIME ZONE, input_hash VARCHAR);
CREATE TABLE training.queries (key VARCHAR, locale VARCHAR, query VARCHAR, split VARCHAR, input_hash VARCHAR);
CREATE TABLE fitted.vocabulary (key VARCHAR, id BIGINT, kind VARCHAR, value VARCHAR, products BIGINT, share DOUBLE,
input_hash VARCHAR);
CREATE TABLE features.products (key VARCHAR, product_id VARCHAR, locale VARCHAR, brand_key VARCHAR, color_key
VARCHAR, title_script VARCHAR, title_chars INTEGER, title_words INTEGER, title_numbers INTEGER, title_largest_number
INTEGER, title_price DOUBLE, pack_count DOUBLE, volume_ml DOUBLE, weight_g DOUBLE, length_cm DOUBLE,
description_chars INTEGER, bullet_count INTEGER, bullet_chars INTEGER, completeness DOUBLE, has_brand_in_title
BOOLEAN, input_hash VARCHAR);
CREATE TABLE features.queries (key VARCHAR, locale VARCHAR, query_brand VARCHAR, query_color VARCHAR, query_script
VARCHAR, query_chars INTEGER, query_words INTEGER, query_numbers INTEGER, has_brand BOOLEAN, has_color BOOLEAN,
has_negation BOOLEAN, input_hash VARCHAR);
CREATE TABLE features.pairs (key VARCHAR, query_key VARCHAR, product_key VARCHAR, common_words INTEGER, common_share
DOUBLE, title_share DOUBLE, common_numbers INTEGER, has_number_match BOOLEAN, has_brand_match BOOLEAN,
has_color_match BOOLEAN, input_hash VARCHAR);
CREATE TABLE training.pairs (key VARCHAR, query_key VARCHAR, product_key VARCHAR, locale VARCHAR, query VARCHAR,
product_input_hash VARCHAR, query_input_hash VARCHAR, label VARCHAR, gain DOUBLE, split VARCHAR, small_version
BOOLEAN, context_key VARCHAR, judged_at TIMESTAMP WITH TIME ZONE, input_hash VARCHAR);
CREATE TABLE training.dated (key VARCHAR, pair_key VARCHAR, "table" VARCHAR, event_key VARCHAR, judged_at TIMESTAMP
WITH TIME ZONE, event_time TIMESTAMP WITH TIME ZONE, event_hash VARCHAR, input_hash VARCHAR);
CREATE TABLE training.negatives (key VARCHAR, query_key VARCHAR, product_key VARCHAR, rank BIGINT, score DOUBLE,
positive_key VARCHAR, positive_score DOUBLE, label VARCHAR, input_hash VARCHAR);
CREATE TABLE training.mining (key VARCHAR, inputs VARCHAR, queries BIGINT, looked_at BIGINT, relevant BIGINT, skipped
BIGINT, too_close BIGINT, negatives BIGINT, input_hash VARCHAR);
CREATE TABLE evaluation.metrics (key VARCHAR, model_id VARCHAR, locale VARCHAR, slice VARCHAR, part VARCHAR, system
VARCHAR, metric VARCHAR, value DOUBLE, low DOUBLE, high DOUBLE, queries BIGINT, inputs VARCHAR, input_hash VARCHAR);
CREATE TABLE evaluation.queries (key VARCHAR, model_id VARCHAR, system VARCHAR, locale VARCHAR, query_id BIGINT,
query VARCHAR, ndcg DOUBLE, ndcg_official DOUBLE, recall_at_10 DOUBLE, recall_at_100 DOUBLE, reciprocal_rank DOUBLE,
judgements BIGINT, distinct_gains BIGINT, input_hash VARCHAR);
CREATE TABLE evaluation.rankings (key VARCHAR, model_id VARCHAR, locale VARCHAR, query_id BIGINT, query VARCHAR,
product_id VARCHAR, label VARCHAR, model_rank BIGINT, encoder_rank BIGINT, bm25_rank BIGINT, random_rank BIGINT,
previous_rank BIGINT, model_catalogue_rank BIGINT, encoder_catalogue_rank BIGINT, bm25_catalogue_rank BIGINT,
random_catalogue_rank BIGINT, previous_catalogue_rank BIGINT, input_hash VARCHAR);
CREATE TABLE evaluation.gate (key VARCHAR, model_id VARCHAR, live_model_id VARCHAR, decision VARCHAR, baseline
VARCHAR, recall_at_10 DOUBLE, baseline_recall_at_10 DOUBLE, difference DOUBLE, low DOUBLE, high DOUBLE, queries
BIGINT, margin DOUBLE, reason VARCHAR, inputs VARCHAR, input_hash VARCHAR);
CREATE TABLE evaluation.training_log (key VARCHAR, model_id VARCHAR, epoch BIGINT, train_loss DOUBLE, val_loss
DOUBLE, recall_at_10 DOUBLE, recall_at_100 DOUBLE, mrr DOUBLE, learning_rate DOUBLE, is_best BOOLEAN, input_hash
VARCHAR);
CREATE TABLE evaluation.folds (key VARCHAR, fold BIGINT, folds BIGINT, locale VARCHAR, system VARCHAR, metric
VARCHAR, value DOUBLE, low DOUBLE, high DOUBLE, queries BIGINT, snapshot BIGINT, input_hash VARCHAR);
CREATE TABLE evaluation.trials (key VARCHAR, study VARCHAR, trial BIGINT, score DOUBLE, recall_at_10 DOUBLE, mrr
DOUBLE, best_epoch BIGINT, alpha DOUBLE, settings VARCHAR, is_best BOOLEAN, input_hash VARCHAR);
CREATE TABLE monitoring.versions (key VARCHAR, table_name VARCHAR, number BIGINT, version VARCHAR, since_snapshot
BIGINT, input_hash VARCHAR);
CREATE TABLE monitoring.feature_stats (key VARCHAR, table_name VARCHAR, version VARCHAR, column_name VARCHAR, locale
VARCHAR, kind VARCHAR, "rows" BIGINT, null_share DOUBLE, mean DOUBLE, deviation DOUBLE, minimum DOUBLE, q01 DOUBLE,
q05 DOUBLE, q25 DOUBLE, q50 DOUBLE, q75 DOUBLE, q95 DOUBLE, q99 DOUBLE, maximum DOUBLE, distinct_count BIGINT,
top_values VARCHAR, edges VARCHAR, bins VARCHAR, input_hash VARCHAR);
CREATE TABLE monitoring.drift (key VARCHAR, table_name VARCHAR, version VARCHAR, reference VARCHAR, reference_version
VARCHAR, model_id VARCHAR, column_name VARCHAR, locale VARCHAR, "rows" BIGINT, reference_rows BIGINT, psi DOUBLE,
bins VARCHAR, input_hash VARCHAR);
CREATE TABLE registry.lineage (key VARCHAR, table_name VARCHAR, column_name VARCHAR, source_table VARCHAR,
source_column VARCHAR, made_by VARCHAR, input_hash VARCHAR);
CREATE TABLE registry.snapshots (key VARCHAR, snapshot BIGINT, run_id VARCHAR, ended_at TIMESTAMP WITH TIME ZONE,
made_by VARCHAR, input_hash VARCHAR);
CREATE TABLE registry.tables (table_name VARCHAR, grain VARCHAR, key_column VARCHAR, column_count INTEGER, rules
VARCHAR[], description VARCHAR, source VARCHAR, input_hash VARCHAR);
CREATE TABLE registry.features (feature VARCHAR, table_name VARCHAR, column_name VARCHAR, type VARCHAR, nullable
BOOLEAN, meaning VARCHAR, tower VARCHAR, rules VARCHAR[], source VARCHAR, input_hash VARCHAR);
CREATE TABLE registry.changes (key VARCHAR, snapshot BIGINT, "table" VARCHAR, "rows" BIGINT, inserted BIGINT, updated
BIGINT, deleted BIGINT, fingerprint VARCHAR, input_hash VARCHAR);
CREATE TABLE registry.dated (key VARCHAR, entity VARCHAR, max_age_days DOUBLE, as_of TIMESTAMP WITH TIME ZONE,
declaration VARCHAR, input_hash VARCHAR);
