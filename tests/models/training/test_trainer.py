import os
import subprocess
import sys

import numpy as np
import polars as pl
import pytest
import torch

from models.errors import ModelError
from models.labels import EXACT, IRRELEVANT
from models.settings import TowerSettings, TrainingSettings
from models.towers.checkpoint import save
from models.towers.feature_encoder import FeatureSpec
from models.training.dataset import TrainingData
from models.training.trainer import _device, train

DIM, PRODUCTS, QUERIES = 24, 120, 240
SPECS = (FeatureSpec(("words",), ("kind",)), FeatureSpec((), ("kind",)))
TOWERS = TowerSettings(width=48, input_dropout=0.0, dropout=0.0)
TRAINING = TrainingSettings(epochs=8, batch_pairs=32, learning_rate=5e-3, threads=1, device="cpu")


def rotated(seed=0, keep=None):
    """Return data in which each query vector is a rotation of its product's vector."""
    rng = np.random.default_rng(seed)
    products = rng.normal(size=(PRODUCTS, DIM)).astype(np.float32)
    turn = np.linalg.qr(np.eye(DIM) + 0.35 * rng.normal(size=(DIM, DIM)))[0]
    product = rng.integers(0, PRODUCTS, QUERIES)
    queries = (products[product] @ turn + 0.1 * rng.normal(size=(QUERIES, DIM))).astype(np.float32)
    split = np.where(np.arange(QUERIES) % 4 == 0, "validation", "train")
    pair = np.concatenate([np.arange(QUERIES), np.arange(QUERIES)])
    label = np.repeat(np.array([EXACT, IRRELEVANT], dtype=np.int8), QUERIES)
    is_used = np.ones(len(pair), dtype=bool) if keep is None else keep(split[pair], label)
    return TrainingData(
        query_vectors=queries,
        product_vectors=products,
        query_features=pl.DataFrame({"words": np.arange(QUERIES) % 7, "kind": ["a", "b"] * (QUERIES // 2)}),
        product_features=pl.DataFrame({"kind": ["x", None] * (PRODUCTS // 2)}),
        query_locale=np.array(["us"] * QUERIES),
        product_locale=np.array(["us"] * PRODUCTS),
        query_index=pair[is_used],
        product_index=np.concatenate([product, (product + 1) % PRODUCTS])[is_used],
        label=label[is_used],
        split=split[pair][is_used],
    )


def weights(model):
    return {name: tensor.numpy().tobytes() for name, tensor in model.towers.state_dict().items()}


@pytest.mark.parametrize("mode", ["tied", "separate", "query_only"])
def test_training_lifts_recall_clearly_where_there_is_something_to_learn(mode):
    logs = []
    model = train(rotated(), *SPECS, TOWERS.model_copy(update={"mode": mode}), TRAINING, logs.append)
    assert tuple(logs) == model.history
    assert [log.epoch for log in logs] == list(range(len(logs)))
    best = logs[model.best_epoch]
    assert best.recall_at_10 + best.mrr == max(log.recall_at_10 + log.mrr for log in logs)
    assert best.recall_at_10 > logs[0].recall_at_10 + 0.2
    assert logs[-1].train_loss < logs[1].train_loss
    assert model.towers.alpha == best.alpha > 0
    assert model.notes == ()


def test_mined_negatives_affect_training_only_if_batches_draw_them():
    settings = TRAINING.model_copy(update={"epochs": 1, "alphas": (0.5, 1.0)})
    plain = rotated()
    mined = {"mined_query": np.arange(QUERIES), "mined_product": (np.arange(QUERIES) * 7) % PRODUCTS}
    having = TrainingData(**{**vars(plain), **mined})
    drawing = settings.model_copy(update={"mined_per_query": 1})
    without = weights(train(plain, *SPECS, TOWERS, settings))
    assert weights(train(having, *SPECS, TOWERS, settings)) == without
    assert weights(train(plain, *SPECS, TOWERS, drawing)) == without
    assert weights(train(having, *SPECS, TOWERS, drawing)) != without


def test_no_epoch_is_logged_below_the_encoder():
    # alpha 1 and a rate far too high: what is learned is harmful, and alpha 0 is left
    data = rotated()
    noise = np.random.default_rng(1).permutation(data.product_index)
    data = TrainingData(**{**vars(data), "product_index": np.where(data.split == "train", noise, data.product_index)})
    logs = train(data, *SPECS, TOWERS, TRAINING.model_copy(update={"alphas": (1.0,)})).history
    assert len(logs) > 1
    assert min(log.recall_at_10 for log in logs) >= logs[0].recall_at_10


def test_epoch_0_is_the_encoder():
    data = rotated()
    log = train(data, *SPECS, TOWERS, TRAINING.model_copy(update={"epochs": 0})).history[0]
    queries = np.unique(data.query_index[data.split == "validation"])
    unit = [v / np.linalg.norm(v, axis=1, keepdims=True) for v in (data.query_vectors, data.product_vectors)]
    ranks = np.argsort(-(unit[0][queries] @ unit[1].T), axis=1, kind="stable")
    own = data.product_index[:QUERIES][queries]
    rank = (ranks == own[:, None]).argmax(axis=1)
    assert (log.epoch, log.alpha, log.train_loss) == (0, 0.0, None)
    assert log.recall_at_10 == pytest.approx((rank < 10).mean())
    assert log.recall_at_100 == pytest.approx((rank < 100).mean())
    assert log.mrr == pytest.approx(np.where(rank < 100, 1 / (rank + 1), 0).mean())


def test_where_training_only_harms_the_model_stays_the_encoder():
    data = rotated()
    rng = np.random.default_rng(1)
    wrong = np.where(data.split == "train", rng.permutation(data.product_index), data.product_index)
    flat = {**vars(data), "query_vectors": data.product_vectors[data.product_index[:QUERIES]], "product_index": wrong}
    model = train(TrainingData(**flat), *SPECS, TOWERS, TRAINING)
    assert model.history[0].recall_at_10 == 1.0
    assert (model.best_epoch, model.towers.alpha) == (0, 0.0)
    assert "the model is the encoder itself" in model.notes[0]


@pytest.mark.parametrize(("mode", "rate"), [("tied", 1e4), ("separate", 1e4), ("query_only", 1e4), ("separate", 1e30)])
def test_training_that_diverges_ends_with_a_note_and_the_best_epoch_before(mode, rate, tmp_path):
    logs = []
    settings = TRAINING.model_copy(update={"learning_rate": rate, "weight_decay": 0.5, "warmup_share": 0.0})
    model = train(rotated(), *SPECS, TOWERS.model_copy(update={"mode": mode}), settings, logs.append)
    assert model.best_epoch == 0
    assert model.towers.alpha == 0
    assert "training diverged in epoch 1: its loss is not a number; lower training.learning_rate" in model.notes
    assert "the model is the encoder itself" in model.notes[-1]
    assert [log.train_loss for log in logs] == [None, None]
    assert logs[1].val_loss is None
    assert (logs[1].alpha, logs[1].recall_at_10, logs[1].mrr) == (0.0, logs[0].recall_at_10, logs[0].mrr)
    assert all(bool(torch.isfinite(tensor).all()) for tensor in model.towers.state_dict().values())
    save(tmp_path / "model", model, {})


def test_weights_from_before_divergence_are_kept(monkeypatch):
    """The rate of the third epoch's steps is beyond all measure."""
    steps_an_epoch = 6
    monkeypatch.setattr(
        "models.training.trainer.warmup_cosine", lambda *_: lambda step: 1.0 if step < 2 * steps_an_epoch else 1e30
    )
    model = train(rotated(), *SPECS, TOWERS, TRAINING.model_copy(update={"weight_decay": 0.5}))
    assert 0 < model.best_epoch < len(model.history) - 1
    assert model.history[-1].train_loss is None
    assert model.towers.alpha > 0
    assert model.notes == (
        f"training diverged in epoch {len(model.history) - 1}: its loss is not a number; lower training.learning_rate",
    )


def test_weights_that_are_no_numbers_leave_the_encoder_at_alpha_0():
    model = train(rotated(), *SPECS, TOWERS, TRAINING.model_copy(update={"epochs": 1}))
    x = torch.randn(4, DIM)
    side = ("query", x, torch.zeros(4, model.query_encoder.numeric_width), torch.zeros(4, 1, dtype=torch.int64))
    model.towers.alpha = 0.0
    before = model.towers(*side)
    for tensor in model.towers.parameters():
        tensor.data.fill_(float("nan"))
    assert torch.equal(model.towers(*side), before)
    model.towers.alpha = 0.5
    assert model.towers(*side).isnan().all()


def test_the_same_seed_gives_the_same_bytes_and_another_does_not(tmp_path):
    short = TRAINING.model_copy(update={"epochs": 2})
    first = train(rotated(), *SPECS, TOWERS, short)
    torch.manual_seed(123)
    np.random.default_rng().random()
    second = train(rotated(), *SPECS, TOWERS, short)
    other = train(rotated(), *SPECS, TOWERS, short.model_copy(update={"seed": 1}))
    assert weights(first) == weights(second) != weights(other)
    for name, model in (("first", first), ("second", second)):
        save(tmp_path / name, model, {"seed": 0})
    for file in ("towers.safetensors", "model.json"):
        assert (tmp_path / "first" / file).read_bytes() == (tmp_path / "second" / file).read_bytes()


def test_training_leaves_torch_as_it_was():
    before = (torch.get_num_threads(), torch.are_deterministic_algorithms_enabled(), torch.get_rng_state().tolist())
    train(rotated(), *SPECS, TOWERS, TRAINING.model_copy(update={"epochs": 1}))
    after = (torch.get_num_threads(), torch.are_deterministic_algorithms_enabled(), torch.get_rng_state().tolist())
    assert after == before


@pytest.mark.parametrize(
    ("keep", "note"),
    [
        (lambda split, label: split != "train", "the train split has no Exact pair"),
        (lambda split, label: (split != "train") | (label != EXACT), "the train split has no Exact pair"),
        (lambda split, label: split != "validation", "the validation split has no query with an Exact product"),
        (lambda split, label: split == "none", "the train split has no Exact pair"),
    ],
)
def test_too_little_data_gives_the_encoder_and_a_note(keep, note):
    data = rotated(keep=keep)
    model = train(data, *SPECS, TOWERS, TRAINING)
    assert note in model.notes[0]
    assert len(model.history) == 1
    assert (model.best_epoch, model.towers.alpha) == (0, 0.0)
    x = torch.from_numpy(data.query_vectors)
    features = (torch.from_numpy(part) for part in model.query_encoder.transform(data.query_features))
    torch.testing.assert_close(model.towers("query", x, *features), torch.nn.functional.normalize(x))


def test_one_training_pair_is_enough_not_to_crash():
    keep = rotated()
    rows = np.flatnonzero((keep.label == EXACT) & ((keep.split == "validation") | (np.arange(len(keep.split)) == 1)))
    small = {name: getattr(keep, name)[rows] for name in ("query_index", "product_index", "label", "split")}
    model = train(TrainingData(**{**vars(keep), **small}), *SPECS, TOWERS, TRAINING)
    assert np.isfinite(model.history[-1].train_loss)


def test_features_are_fitted_on_train_rows_alone():
    data = rotated()
    validation = set(data.query_index[data.split == "validation"].tolist())
    words = [1000 if row in validation else 1 for row in range(QUERIES)]
    data = TrainingData(**{**vars(data), "query_features": data.query_features.with_columns(words=pl.Series(words))})
    model = train(data, *SPECS, TOWERS, TRAINING.model_copy(update={"epochs": 1}))
    assert model.query_encoder.scales[0].mean == 1.0


def test_scores_do_not_depend_on_how_many_products_are_scored_at_once():
    logs = [
        train(rotated(), *SPECS, TOWERS, TRAINING.model_copy(update={"epochs": 1, "product_rows": rows})).history[-1]
        for rows in (7, 1000)
    ]
    assert logs[0].recall_at_10 == logs[1].recall_at_10
    assert logs[0].recall_at_100 == logs[1].recall_at_100


def test_memory_mapped_vectors_train_like_any_others(tmp_path):
    data, short = rotated(), TRAINING.model_copy(update={"epochs": 1})
    np.save(tmp_path / "products.npy", data.product_vectors)
    mapped = TrainingData(**{**vars(data), "product_vectors": np.load(tmp_path / "products.npy", mmap_mode="r")})
    assert weights(train(mapped, *SPECS, TOWERS, short)) == weights(train(data, *SPECS, TOWERS, short))


def test_waiting_threads_do_not_spin():
    code = "import os, models; print(os.environ['OMP_WAIT_POLICY'])"
    free = {name: value for name, value in os.environ.items() if name != "OMP_WAIT_POLICY"}
    for environment, expected in ((free, "PASSIVE"), ({**free, "OMP_WAIT_POLICY": "ACTIVE"}, "ACTIVE")):
        done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
        assert done.stdout.strip() == expected


def test_a_device_that_is_not_there_is_refused(monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(ModelError, match="PyTorch sees no GPU"):
        _device(TrainingSettings(device="cuda"))
