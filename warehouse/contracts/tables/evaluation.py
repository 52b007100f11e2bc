"""Contracts of the evaluation tables: metrics by ranker, query, fold, tuning trial and epoch."""

import dataframely as dy

from warehouse.contracts.contract import about, key_column


class EvaluationMetrics(dy.Schema):
    """One row per model, locale, part of a slice, ranker and metric, over the test queries of ESCI task 1."""

    key = key_column("model_id:locale:slice:part:ranker:metric")
    model_id = dy.String(nullable=False, metadata=about("id of the evaluated model"))
    locale = dy.String(nullable=False, metadata=about("locale, such as us or en-us; all: every locale"))
    slice = dy.String(
        nullable=False, metadata=about("property that groups the queries: all, brand, length, negation or number")
    )
    part = dy.String(
        nullable=False,
        metadata=about(
            "group within the slice. all: all; brand: seen, unseen or none, by the train split; length: 1-2, 3-4 or 5+ words; "
            "negation and number: yes or no"
        ),
    )
    ranker = dy.String(
        nullable=False,
        metadata=about(
            "ranked (what a search shows), model, text, encoder, bm25, random, previous (the model of the previous release), "
            "or a difference, such as ranked_minus_model"
        ),
    )
    metric = dy.String(
        nullable=False,
        metadata=about(
            "ndcg, ndcg_official, ndcg_two_gains (only queries with two or more distinct gains), recall@10, recall@100 or mrr"
        ),
    )
    value = dy.Float64(nullable=True, metadata=about("mean over the queries, 0 to 1; for a difference -1 to 1"))
    low = dy.Float64(
        nullable=True,
        metadata=about("lower bound of a difference's 95 % interval; null: no difference, or too few queries"),
    )
    high = dy.Float64(
        nullable=True,
        metadata=about("upper bound of a difference's 95 % interval; null: no difference, or too few queries"),
    )
    queries = dy.Int64(
        nullable=False,
        metadata=about("number of queries in the mean; for a difference, of queries with a value for both rankers"),
    )
    inputs = dy.String(nullable=False, metadata=about("digest of the model, its vectors and the judgements"))


class EvaluationKnownItems(dy.Schema):
    """One row per model, locale, ranker and metric, over searches for known products; empty where test queries are judged.

    A query is three to five words of a product's own title, those that fewest products have. The product is to be found.
    So the metrics cannot be compared with those over judgements: shoppers use other words than titles do.
    """

    key = key_column("model_id:locale:ranker:metric")
    model_id = dy.String(nullable=False, metadata=about("id of the evaluated model"))
    locale = dy.String(nullable=False, metadata=about("marketplace, such as us; all: every marketplace"))
    ranker = dy.String(
        nullable=False,
        metadata=about(
            "ranked (what a search shows), text, vector, or index: the nearest products by exact search that the index finds"
        ),
    )
    metric = dy.String(nullable=False, metadata=about("recall@1, recall@10, recall@100 or mrr; for index recall@10"))
    value = dy.Float64(nullable=False, metadata=about("mean over the queries, 0 to 1"))
    queries = dy.Int64(nullable=False, metadata=about("number of queries, one for each drawn product"))
    inputs = dy.String(nullable=False, metadata=about("digest of the model, its vectors and the products"))


class EvaluationQueries(dy.Schema):
    """One row per model, ranker and test query of ESCI task 1."""

    key = key_column("model_id:ranker:locale:query_id")
    model_id = dy.String(nullable=False, metadata=about("id of the evaluated model"))
    ranker = dy.String(nullable=False, metadata=about("ranked, model, text, encoder, bm25, random or previous"))
    locale = dy.String(nullable=False, metadata=about("locale, such as us or en-us"))
    query_id = dy.Int64(nullable=False, metadata=about("id of the query in the dataset"))
    query = dy.String(nullable=False, metadata=about("cleaned text of the query"))
    ndcg = dy.Float64(
        nullable=False, metadata=about("nDCG of the judged products with the gains of the ESCI paper, 0 to 1")
    )
    ndcg_official = dy.Float64(
        nullable=False, metadata=about("nDCG of the judged products with the gains of the ESCI code, 0 to 1")
    )
    recall_at_10 = dy.Float64(
        nullable=True, metadata=about("share of the query's Exact products in the top 10 of the catalog, 0 to 1")
    )
    recall_at_100 = dy.Float64(
        nullable=True, metadata=about("share of the query's Exact products in the top 100 of the catalog, 0 to 1")
    )
    reciprocal_rank = dy.Float64(nullable=True, metadata=about("1 / catalog rank of the first Exact product, 0 to 1"))
    judgements = dy.Int64(nullable=False, metadata=about("number of judged products of the query"))
    distinct_gains = dy.Int64(
        nullable=False, metadata=about("number of distinct gains among them; with one, every order has the same nDCG")
    )


class EvaluationRankings(dy.Schema):
    """One row per model and judged pair of a test query of ESCI task 1: the rank of the product by every ranker."""

    key = key_column("model_id:locale:query_id:product_id")
    model_id = dy.String(nullable=False, metadata=about("id of the evaluated model"))
    locale = dy.String(nullable=False, metadata=about("locale, such as us or en-us"))
    query_id = dy.Int64(nullable=False, metadata=about("id of the query in the dataset"))
    query = dy.String(nullable=False, metadata=about("cleaned text of the query"))
    product_id = dy.String(nullable=False, metadata=about("id of the judged product"))
    label = dy.String(nullable=False, metadata=about("E exact, S substitute, C complement, I irrelevant"))
    ranked_rank = dy.Int64(
        nullable=True, metadata=about("rank among the query's judged products as a search orders them, from 1")
    )
    text_rank = dy.Int64(
        nullable=True, metadata=about("rank among the query's judged products by the text leg, from 1")
    )
    model_rank = dy.Int64(nullable=False, metadata=about("rank among the query's judged products by the model, from 1"))
    encoder_rank = dy.Int64(
        nullable=False, metadata=about("rank among the query's judged products by the encoder without towers, from 1")
    )
    bm25_rank = dy.Int64(nullable=False, metadata=about("rank among the query's judged products by BM25, from 1"))
    random_rank = dy.Int64(
        nullable=False, metadata=about("rank among the query's judged products in random order, from 1")
    )
    previous_rank = dy.Int64(
        nullable=True,
        metadata=about(
            "rank among the query's judged products by the previous release's model, from 1; null if there was none"
        ),
    )
    ranked_catalog_rank = dy.Int64(
        nullable=True, metadata=about("rank in a search of the locale, from 1; products that no leg finds come last")
    )
    text_catalog_rank = dy.Int64(nullable=True, metadata=about("rank by the text leg, like ranked_catalog_rank"))
    model_catalog_rank = dy.Int64(
        nullable=False, metadata=about("rank among all products of the locale by the model, from 1")
    )
    encoder_catalog_rank = dy.Int64(
        nullable=False, metadata=about("rank among all products of the locale by the encoder, from 1")
    )
    bm25_catalog_rank = dy.Int64(
        nullable=False, metadata=about("rank among all products of the locale by BM25, from 1")
    )
    random_catalog_rank = dy.Int64(
        nullable=False, metadata=about("rank among all products of the locale in random order, from 1")
    )
    previous_catalog_rank = dy.Int64(
        nullable=True,
        metadata=about(
            "rank among all products of the locale by the previous release's model, from 1; null if there was none"
        ),
    )


class EvaluationFolds(dy.Schema):
    """One row per fold, locale, ranker and metric of the last `stockroom evaluate --folds`; fold 0 pools all folds."""

    key = key_column("fold:locale:ranker:metric")
    fold = dy.Int64(nullable=False, min=0, metadata=about("number of the held-out fold, from 1; 0: all folds pooled"))
    folds = dy.Int64(nullable=False, min=2, metadata=about("number of folds"))
    locale = dy.String(nullable=False, metadata=about("locale, such as us or en-us; all: every locale"))
    ranker = dy.String(
        nullable=False,
        metadata=about("ranked, model, text, encoder, bm25, random, or a difference, such as ranked_minus_model"),
    )
    metric = dy.String(
        nullable=False,
        metadata=about(
            "ndcg, ndcg_official, ndcg_two_gains (only queries with two or more distinct gains), recall@10, recall@100 or mrr"
        ),
    )
    value = dy.Float64(
        nullable=True, metadata=about("mean over the held-out queries, 0 to 1; for a difference -1 to 1")
    )
    low = dy.Float64(
        nullable=True,
        metadata=about("lower bound of a difference's 95 % interval; null: no difference, or too few queries"),
    )
    high = dy.Float64(
        nullable=True,
        metadata=about("upper bound of a difference's 95 % interval; null: no difference, or too few queries"),
    )
    queries = dy.Int64(nullable=False, metadata=about("number of held-out queries in the mean"))
    snapshot = dy.Int64(
        nullable=False, metadata=about("snapshot id of the checkpoint whose queries were divided into folds")
    )


class EvaluationTrials(dy.Schema):
    """One row per study and trial of `stockroom tune`: the settings of the trial, and its metrics on the validation split."""

    key = key_column("study:trial")
    study = dy.String(nullable=False, metadata=about("digest of the training data and of the fixed settings"))
    trial = dy.Int64(
        nullable=False, min=0, metadata=about("number of the trial, from 0; trial 0 may have the current settings")
    )
    score = dy.Float64(
        nullable=False, metadata=about("objective to maximize: validation recall@10 + mrr at the best epoch, 0 to 2")
    )
    recall_at_10 = dy.Float64(
        nullable=False, metadata=about("validation recall@10 over the full catalog at the best epoch, 0 to 1")
    )
    mrr = dy.Float64(nullable=False, metadata=about("validation mean reciprocal rank at the best epoch, 0 to 1"))
    best_epoch = dy.Int64(nullable=False, metadata=about("epoch with the best score; 0 is the encoder before training"))
    alpha = dy.Float64(nullable=False, metadata=about("factor of the towers' change at that epoch; 0 is the encoder"))
    settings = dy.String(
        nullable=False, metadata=about("settings of the trial as a JSON object: section.name to value")
    )
    is_best = dy.Bool(
        nullable=False,
        metadata=about("whether this is the first trial with the highest score of the study"),
    )


class EvaluationTrainingLog(dy.Schema):
    """One row per model and training epoch; epoch 0 is the encoder before training."""

    key = key_column("model_id:epoch")
    model_id = dy.String(nullable=False, metadata=about("id of the trained model"))
    epoch = dy.Int64(nullable=False, metadata=about("number of completed passes over the Exact training pairs"))
    train_loss = dy.Float64(nullable=True, metadata=about("mean loss over the training pairs"))
    val_loss = dy.Float64(nullable=True, metadata=about("mean loss over the validation pairs"))
    recall_at_10 = dy.Float64(nullable=True, metadata=about("validation recall@10 over the full catalog, 0 to 1"))
    recall_at_100 = dy.Float64(nullable=True, metadata=about("validation recall@100 over the full catalog, 0 to 1"))
    mrr = dy.Float64(nullable=True, metadata=about("validation mean reciprocal rank, 0 to 1"))
    learning_rate = dy.Float64(nullable=False, metadata=about("learning rate at the epoch's last step"))
    is_best = dy.Bool(nullable=False, metadata=about("whether the model has the weights of this epoch"))


class EvaluationGate(dy.Schema):
    """One row per new model and the live model at that time: the gate's decision whether the new model may go live.

    Both models search the full catalog for the validation queries. The new model is compared with its own encoder if no
    model was live, or if the live model can no longer be loaded.
    """

    key = key_column("model_id:ranker_id:live_model_id:live_ranker_id, or model_id:ranker_id:first")
    model_id = dy.String(nullable=False, metadata=about("id of the new model"))
    live_model_id = dy.String(nullable=True, metadata=about("id of the live model; null if no model was live"))
    ranker_id = dy.String(
        nullable=True, metadata=about("id of the new model's ranker; empty: searches order by the vectors alone")
    )
    live_ranker_id = dy.String(nullable=True, metadata=about("id of the live model's ranker, like ranker_id"))
    decision = dy.String(
        nullable=False,
        metadata=about(
            "passed, refused, undecided (too few queries), forced (not passed, but published with --force), or first "
            "(no model was live)"
        ),
    )
    baseline = dy.String(
        nullable=False, metadata=about("baseline of the comparison with the new model: live or encoder")
    )
    recall_at_10 = dy.Float64(nullable=True, metadata=about("validation recall@10 of the new model, 0 to 1"))
    baseline_recall_at_10 = dy.Float64(nullable=True, metadata=about("validation recall@10 of the baseline, 0 to 1"))
    difference = dy.Float64(
        nullable=True, metadata=about("recall@10 of the new model minus that of the baseline, -1 to 1")
    )
    low = dy.Float64(
        nullable=True, metadata=about("lower bound of the difference's 95 % interval; null: too few queries")
    )
    high = dy.Float64(
        nullable=True, metadata=about("upper bound of the difference's 95 % interval; null: too few queries")
    )
    queries = dy.Int64(nullable=False, metadata=about("number of validation queries with an Exact product"))
    margin = dy.Float64(
        nullable=False,
        metadata=about("recall@10 that the new model may lose: it passes if low is above minus the margin"),
    )
    reason = dy.String(nullable=False, metadata=about("explanation of the decision"))
    inputs = dy.String(nullable=False, metadata=about("digest of the models, their vectors and the judgements"))
