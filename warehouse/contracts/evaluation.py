"""Contracts of the evaluation tables: what was measured, by ranker, by query and by epoch."""

import dataframely as dy

from warehouse.contracts.contract import about, key_column


class EvaluationMetrics(dy.Schema):
    """One row per model, locale, slice of queries, ranker and metric, over the test split of task 1."""

    key = key_column("model_id:locale:slice:part:ranker:metric")
    model_id = dy.String(nullable=False, metadata=about("the model that was measured"))
    locale = dy.String(nullable=False, metadata=about("marketplace, or all"))
    slice = dy.String(
        nullable=False, metadata=about("what queries are told apart by: all, brand, length, negation or number")
    )
    part = dy.String(
        nullable=False,
        metadata=about("all; brand in train: seen, unseen, none; words: 1-2, 3-4, 5+; the others: yes, no"),
    )
    ranker = dy.String(
        nullable=False,
        metadata=about(
            "model, encoder, bm25, random, previous (the model of the release before), or model_minus_ one of them"
        ),
    )
    metric = dy.String(
        nullable=False,
        metadata=about("ndcg, ndcg_official, ndcg_two_gains (lists whose order matters), recall@10, recall@100 or mrr"),
    )
    value = dy.Float64(nullable=True, metadata=about("mean over the queries, 0 to 1; for a difference its mean"))
    low = dy.Float64(nullable=True, metadata=about("lower end of a difference's 95 % interval; null: too few queries"))
    high = dy.Float64(nullable=True, metadata=about("upper end of a difference's 95 % interval; null: too few queries"))
    queries = dy.Int64(
        nullable=False, metadata=about("judged queries behind the mean; for a difference those with a value in both")
    )
    inputs = dy.String(nullable=False, metadata=about("digest of model, vectors and judgements: what was measured"))


class EvaluationQueries(dy.Schema):
    """One row per model, ranker and test query."""

    key = key_column("model_id:ranker:locale:query_id")
    model_id = dy.String(nullable=False, metadata=about("the model that was measured"))
    ranker = dy.String(nullable=False, metadata=about("model, encoder, bm25, random or previous"))
    locale = dy.String(nullable=False, metadata=about("marketplace"))
    query_id = dy.Int64(nullable=False, metadata=about("the dataset's id of the query"))
    query = dy.String(nullable=False, metadata=about("the cleaned query"))
    ndcg = dy.Float64(nullable=False, metadata=about("nDCG of the judged list with the paper's gains, 0 to 1"))
    ndcg_official = dy.Float64(nullable=False, metadata=about("nDCG with the official code's gains, 0 to 1"))
    recall_at_10 = dy.Float64(nullable=True, metadata=about("share of Exact products in the first 10 of the catalog"))
    recall_at_100 = dy.Float64(nullable=True, metadata=about("share of Exact products in the first 100 of the catalog"))
    reciprocal_rank = dy.Float64(nullable=True, metadata=about("1 / rank of the first Exact product in the catalog"))
    judgements = dy.Int64(nullable=False, metadata=about("judged products of the query"))
    distinct_gains = dy.Int64(nullable=False, metadata=about("distinct gains among them; with one, nDCG says nothing"))


class EvaluationRankings(dy.Schema):
    """One row per model and judged test pair: where every ranker ranks the product."""

    key = key_column("model_id:locale:query_id:product_id")
    model_id = dy.String(nullable=False, metadata=about("the model that was measured"))
    locale = dy.String(nullable=False, metadata=about("marketplace"))
    query_id = dy.Int64(nullable=False, metadata=about("the dataset's id of the query"))
    query = dy.String(nullable=False, metadata=about("the cleaned query"))
    product_id = dy.String(nullable=False, metadata=about("the judged product"))
    label = dy.String(nullable=False, metadata=about("E exact, S substitute, C complement, I irrelevant"))
    model_rank = dy.Int64(nullable=False, metadata=about("rank in the judged list by the model, from 1"))
    encoder_rank = dy.Int64(nullable=False, metadata=about("rank in the judged list by the untrained encoder"))
    bm25_rank = dy.Int64(nullable=False, metadata=about("rank in the judged list by BM25"))
    random_rank = dy.Int64(nullable=False, metadata=about("rank in the judged list at random"))
    previous_rank = dy.Int64(
        nullable=True, metadata=about("rank in the judged list by the model of the release before, if there was one")
    )
    model_catalog_rank = dy.Int64(nullable=False, metadata=about("rank in its locale's catalog by the model"))
    encoder_catalog_rank = dy.Int64(nullable=False, metadata=about("rank in its locale's catalog by the encoder"))
    bm25_catalog_rank = dy.Int64(nullable=False, metadata=about("rank in its locale's catalog by BM25"))
    random_catalog_rank = dy.Int64(nullable=False, metadata=about("rank in its locale's catalog at random"))
    previous_catalog_rank = dy.Int64(
        nullable=True, metadata=about("rank in its locale's catalog by the model of the release before")
    )


class EvaluationFolds(dy.Schema):
    """One row per fold, locale, ranker and metric of the last `stockroom evaluate --folds`; fold 0 is all of them pooled."""

    key = key_column("fold:locale:ranker:metric")
    fold = dy.Int64(
        nullable=False, min=0, metadata=about("which part of the queries was held out, from 1; 0: each once")
    )
    folds = dy.Int64(nullable=False, min=2, metadata=about("in how many parts the queries were divided"))
    locale = dy.String(nullable=False, metadata=about("marketplace, or all"))
    ranker = dy.String(nullable=False, metadata=about("model, encoder, bm25, random, or model_minus_ one of them"))
    metric = dy.String(
        nullable=False,
        metadata=about("ndcg, ndcg_official, ndcg_two_gains (lists whose order matters), recall@10, recall@100 or mrr"),
    )
    value = dy.Float64(nullable=True, metadata=about("mean over the held-out queries; for a difference its mean"))
    low = dy.Float64(nullable=True, metadata=about("lower end of a difference's 95 % interval; null: too few queries"))
    high = dy.Float64(nullable=True, metadata=about("upper end of a difference's 95 % interval; null: too few queries"))
    queries = dy.Int64(nullable=False, metadata=about("held-out queries behind the mean"))
    snapshot = dy.Int64(nullable=False, metadata=about("the checkpoint whose raw tables were divided"))


class EvaluationTrials(dy.Schema):
    """One row per study and trial of `stockroom tune`: settings tried, and what they came to on the validation split."""

    key = key_column("study:trial")
    study = dy.String(
        nullable=False, metadata=about("digest of the training data and of the settings that stay as they are")
    )
    trial = dy.Int64(
        nullable=False, min=0, metadata=about("number of the trial; the first one may be the settings in force")
    )
    score = dy.Float64(
        nullable=False, metadata=about("what is maximized: validation recall@10 + mrr at the best epoch")
    )
    recall_at_10 = dy.Float64(nullable=False, metadata=about("validation recall@10 at the best epoch, full catalog"))
    mrr = dy.Float64(nullable=False, metadata=about("validation mean reciprocal rank at the best epoch"))
    best_epoch = dy.Int64(nullable=False, metadata=about("the epoch with the best score; 0 is the encoder"))
    alpha = dy.Float64(nullable=False, metadata=about("strength of the towers' change at that epoch"))
    settings = dy.String(nullable=False, metadata=about("the settings tried, JSON: section.name to value"))
    is_best = dy.Bool(
        nullable=False,
        metadata=about(
            "whether no trial of the study came before it with as high a score, nor after with a higher one"
        ),
    )


class EvaluationTrainingLog(dy.Schema):
    """One row per model and epoch; epoch 0 is the encoder before any training."""

    key = key_column("model_id:epoch")
    model_id = dy.String(nullable=False, metadata=about("the model that was trained"))
    epoch = dy.Int64(nullable=False, metadata=about("passes over the Exact training pairs so far"))
    train_loss = dy.Float64(nullable=True, metadata=about("mean loss over the epoch's training pairs"))
    val_loss = dy.Float64(nullable=True, metadata=about("mean loss over the validation pairs"))
    recall_at_10 = dy.Float64(nullable=True, metadata=about("validation recall@10 over the full catalog, 0 to 1"))
    recall_at_100 = dy.Float64(nullable=True, metadata=about("validation recall@100 over the full catalog, 0 to 1"))
    mrr = dy.Float64(nullable=True, metadata=about("validation mean reciprocal rank"))
    learning_rate = dy.Float64(nullable=False, metadata=about("learning rate at the epoch's last step"))
    is_best = dy.Bool(nullable=False, metadata=about("whether the model kept this epoch's weights"))


class EvaluationGate(dy.Schema):
    """One row per new model and live model that it was held against, and whether it may go live in its place.

    Both answer the validation queries over the full catalog of the lake as it was then. Where nothing was live, or
    what was can no longer be applied, the model's own encoder stands in.
    """

    key = key_column("model_id:live_model_id, or model_id:first")
    model_id = dy.String(nullable=False, metadata=about("the new model"))
    live_model_id = dy.String(nullable=True, metadata=about("the model that was live; null where none was"))
    decision = dy.String(
        nullable=False,
        metadata=about(
            "passed, refused, undecided (too few queries), forced (not let through, and published), or first"
        ),
    )
    baseline = dy.String(nullable=False, metadata=about("what it was held against: live or encoder"))
    recall_at_10 = dy.Float64(nullable=True, metadata=about("validation recall@10 of the new model, 0 to 1"))
    baseline_recall_at_10 = dy.Float64(nullable=True, metadata=about("validation recall@10 of the baseline, 0 to 1"))
    difference = dy.Float64(
        nullable=True, metadata=about("the new model's minus the baseline's, mean over the queries")
    )
    low = dy.Float64(
        nullable=True, metadata=about("lower end of the difference's 95 % interval; null: too few queries")
    )
    high = dy.Float64(
        nullable=True, metadata=about("upper end of the difference's 95 % interval; null: too few queries")
    )
    queries = dy.Int64(nullable=False, metadata=about("validation queries with an Exact product"))
    margin = dy.Float64(nullable=False, metadata=about("low must lie above minus this"))
    reason = dy.String(nullable=False, metadata=about("the decision in words"))
    inputs = dy.String(nullable=False, metadata=about("digest of models, vectors and judgements: what was measured"))
