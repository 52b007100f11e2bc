import multiprocessing
import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from warehouse.errors import WarehouseError
from warehouse.vectors.embedding_cache import EmbeddingCache, FillResult, text_hash

DIM = 8


def fake_vector(text: str) -> list[float]:
    """Return a vector that depends only on the text."""
    return [float(byte) for byte in bytes.fromhex(text_hash(text))[:DIM]]


class Encoder:
    def __init__(self, fail_after: int | None = None) -> None:
        self.calls: list[list[str]] = []
        self.fail_after = fail_after

    def __call__(self, texts: list[str]) -> np.ndarray:
        if len(self.calls) == self.fail_after:
            raise KeyboardInterrupt
        self.calls.append(texts)
        return np.array([fake_vector(text) for text in texts], np.float32)

    @property
    def texts(self) -> list[str]:
        return [text for call in self.calls for text in call]


@pytest.fixture
def cache(tmp_path: Path) -> EmbeddingCache:
    return EmbeddingCache(tmp_path / "vectors")


def versions(tmp_path: Path) -> list[str]:
    return sorted(str(path) for path in tmp_path.rglob("*.manifest"))


def test_each_distinct_unseen_text_is_encoded_once(cache: EmbeddingCache) -> None:
    encoder = Encoder()
    assert cache.fill(["red", "blue", "red"], encoder, "enc") == FillResult(distinct=2, encoded=2)
    assert cache.fill(iter(["blue", "green"]), encoder, "enc") == FillResult(distinct=2, encoded=1)
    assert encoder.texts == ["red", "blue", "green"]
    assert cache.count("enc") == 3


def test_vectors_come_in_the_order_asked_for(cache: EmbeddingCache, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("warehouse.vectors.embedding_cache._TAKE_ROWS", 3)
    texts = [f"text {i}" for i in range(20)]
    cache.fill(texts, Encoder(), "enc", commit_texts=6)
    requested = [texts[i] for i in (19, 0, 7, 7, 3, 12, 19, 1)]
    got = cache.vectors(requested, "enc")
    assert got.dtype == np.float32
    assert got.tolist() == [fake_vector(text) for text in requested]
    assert cache.vectors([], "enc").shape == (0, len(fake_vector("")))
    assert cache.vectors([], "another").shape == (0, 0)


def test_what_was_just_filled_is_answered_without_a_look_through_the_keys(
    cache: EmbeddingCache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = [f"text {i}" for i in range(20)]
    cache.fill(texts, Encoder(), "enc")
    cache.fill(["new", *texts[:5], "newer"], Encoder(), "enc")
    requested = ["newer", texts[3], "new", texts[3], texts[0]]
    expected = [fake_vector(text) for text in requested]
    with monkeypatch.context() as patch:
        patch.setattr("warehouse.vectors.embedding_cache.scan", lambda *_, **__: pytest.fail("it looked"))
        assert cache.vectors(requested, "enc").tolist() == expected
        assert cache.vectors(requested[:1], "enc").tolist() == expected[:1]
    assert cache.vectors([texts[9]], "enc").tolist() == [fake_vector(texts[9])]  # not among what was filled
    EmbeddingCache(tmp_path / "vectors").fill(["another's"], Encoder(), "enc")
    assert cache.vectors([*requested, "another's"], "enc").tolist() == [*expected, fake_vector("another's")]
    assert cache.vectors(requested, "enc").tolist() == expected


def test_texts_are_the_same_only_if_exactly_equal(cache: EmbeddingCache) -> None:
    texts = ["", " ", "a", "A", "a ", "é", "e\u0301", "'", "' OR 1=1 --", "日本", "\ud800", "a\x00b"]
    assert cache.fill(texts, Encoder(), "enc").encoded == len(texts)
    assert cache.vectors(texts, "enc").tolist() == [fake_vector(text) for text in texts]


def test_nothing_unseen_writes_nothing(cache: EmbeddingCache, tmp_path: Path) -> None:
    assert cache.fill([], Encoder(), "enc") == FillResult(0, 0)
    assert not (tmp_path / "vectors").exists()
    cache.fill(["red", "blue"], Encoder(), "enc")
    before = versions(tmp_path)
    encoder = Encoder()
    assert cache.fill(["blue", "red"], encoder, "enc") == FillResult(distinct=2, encoded=0)
    assert encoder.calls == []
    assert versions(tmp_path) == before != []


def test_an_interrupted_fill_is_resumed(cache: EmbeddingCache, tmp_path: Path) -> None:
    texts = [f"text {i}" for i in range(10)]
    progress: list[tuple[int, int]] = []
    with pytest.raises(KeyboardInterrupt):
        cache.fill(
            texts,
            Encoder(fail_after=2),
            "enc",
            commit_texts=3,
            on_progress=lambda done, of: progress.append((done, of)),
        )
    assert progress == [(3, 10), (6, 10)]
    rest = Encoder()
    assert EmbeddingCache(tmp_path / "vectors").fill(texts, rest, "enc").encoded == 4
    assert sorted(rest.texts) == texts[6:]
    assert cache.vectors(texts, "enc").tolist() == [fake_vector(text) for text in texts]


def test_encoders_do_not_share_vectors(cache: EmbeddingCache) -> None:
    cache.fill(["red"], Encoder(), "enc-a")
    assert cache.fill(["red"], lambda texts: np.ones((len(texts), 3), np.float32), "enc-b").encoded == 1
    assert cache.vectors(["red"], "enc-a").tolist() == [fake_vector("red")]
    assert cache.vectors(["red"], "enc-b").tolist() == [[1.0, 1.0, 1.0]]


@pytest.mark.parametrize("fingerprint", ["enc", "never-used"])
def test_a_missing_text_is_named_as_missing(cache: EmbeddingCache, fingerprint: str) -> None:
    cache.fill(["red"], Encoder(), "enc")
    with pytest.raises(WarehouseError, match=r"2 of \d texts have no cached vector of encoder " + fingerprint):
        cache.vectors(["blue", "green", "red"] if fingerprint == "enc" else ["blue", "green"], fingerprint)


@pytest.mark.parametrize(
    "encode",
    [
        lambda texts: np.zeros(len(texts), np.float32),
        lambda texts: np.zeros((len(texts) + 1, DIM), np.float32),
        lambda texts: np.full((len(texts), DIM), np.nan, np.float32),
    ],
)
def test_a_faulty_encoder_leaves_nothing_behind(cache: EmbeddingCache, encode: Callable[[list[str]], Any]) -> None:
    with pytest.raises(WarehouseError, match="encoder enc returned"):
        cache.fill(["red"], encode, "enc")
    assert cache.count("enc") == 0


def test_another_dimension_under_the_same_fingerprint_is_refused(cache: EmbeddingCache) -> None:
    cache.fill(["red"], Encoder(), "enc")
    with pytest.raises(WarehouseError, match="embeddings_enc"):
        cache.fill(["blue"], lambda texts: np.ones((len(texts), 3), np.float32), "enc")


def test_a_copied_directory_answers_alike_without_the_old_one(cache: EmbeddingCache, tmp_path: Path) -> None:
    cache.fill(["red", "blue"], Encoder(), "enc")
    shutil.copytree(tmp_path / "vectors", tmp_path / "elsewhere")
    shutil.rmtree(tmp_path / "vectors")
    copy = EmbeddingCache(tmp_path / "elsewhere")
    assert copy.vectors(["blue", "red"], "enc").tolist() == [fake_vector("blue"), fake_vector("red")]
    assert copy.fill(["red", "green"], Encoder(), "enc").encoded == 1
    assert not (tmp_path / "vectors").exists()


def fill_in_step(root: Path, barrier: Any) -> None:
    """Encode the same texts as another process at the same time; runs in its own process."""

    def encode(texts: list[str]) -> np.ndarray:
        barrier.wait(60)  # both have looked, neither has written
        return np.array([fake_vector(text) for text in texts], np.float32)

    cache = EmbeddingCache(root)
    for start in range(0, 24, 8):
        cache.fill([f"text {i}" for i in range(start, start + 8)], encode, "enc")
        barrier.wait(60)


def test_two_processes_that_encode_the_same_text_leave_one_row(tmp_path: Path) -> None:
    root = tmp_path / "vectors"
    EmbeddingCache(root).fill(["text before"], Encoder(), "enc")
    spawn = multiprocessing.get_context("spawn")
    barrier = spawn.Barrier(2)
    other = spawn.Process(target=fill_in_step, args=(root, barrier))
    other.start()
    fill_in_step(root, barrier)
    other.join(60)
    assert other.exitcode == 0
    cache = EmbeddingCache(root)
    assert cache.count("enc") == 25
    texts = [f"text {i}" for i in range(24)]
    assert cache.vectors(texts, "enc").tolist() == [fake_vector(text) for text in texts]


def test_texts_that_nothing_has_are_forgotten_and_only_they_are_encoded_again(cache: EmbeddingCache) -> None:
    cache.fill(["a", "b", "c"], Encoder(), "enc")
    cache.fill(["a"], Encoder(), "other")
    unused = cache.unused("enc", {text_hash("a"), text_hash("z")})
    assert sorted(unused) == sorted(map(text_hash, ("b", "c")))
    cache.prune("enc", unused, datetime.now(UTC) + timedelta(hours=1))
    assert cache.count("enc") == 1
    again = Encoder()
    assert cache.fill(["a", "b"], again, "enc") == FillResult(2, 1)
    assert again.texts == ["b"]
    assert cache.vectors(["b", "a"], "enc").tolist() == [fake_vector("b"), fake_vector("a")]
    assert cache.encoders() == ["enc", "other"]
    cache.drop("other")
    assert cache.encoders() == ["enc"]
    assert cache.unused("none", set()) == []
