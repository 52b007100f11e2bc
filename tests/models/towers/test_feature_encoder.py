import json
import subprocess
import sys

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.errors import ModelError
from models.settings import TowerSettings
from models.towers.feature_encoder import FeatureEncoder, FeatureSpec, NumericScale, Vocabulary

SETTINGS = TowerSettings(vocabulary_size=2, vocabulary_minimum=2, numeric_limit=3.0)
SPEC = FeatureSpec(numeric=("length", "sale"), categorical=("brand",))
TRAIN = pl.DataFrame(
    {
        "length": [1.0, 2.0, 3.0, None],
        "sale": [True, False, True, False],
        "brand": ["b", "a", "b", "a"],
    }
)


def test_numbers_become_deviations_from_the_train_mean_and_missing_ones_the_median():
    encoder = FeatureEncoder.fit(TRAIN, SPEC, SETTINGS)
    numeric, _ = encoder.transform(pl.DataFrame({"length": [3.0, None], "sale": [True, None], "brand": ["a", "a"]}))
    deviation = np.sqrt(2 / 3)  # of 1, 2, 3
    # length, sale, length missing, sale missing; sale: mean 0.5, deviation 0.5, median 0.5
    # behind each half the brand's frequency, which is the same for a and b, and whether it is missing
    np.testing.assert_allclose(numeric, [[1 / deviation, 1, 0, 0, 0, 0], [0, 0, 0, 1, 1, 0]], atol=1e-6)
    assert numeric.dtype == np.float32


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_what_is_not_finite_counts_as_missing(value):
    encoder = FeatureEncoder.fit(TRAIN, FeatureSpec(numeric=("length",)), SETTINGS)
    assert encoder.transform(pl.DataFrame({"length": [value]}))[0].tolist() == [[0.0, 1.0]]


def test_outliers_are_cut_off():
    encoder = FeatureEncoder.fit(TRAIN, FeatureSpec(numeric=("length",)), SETTINGS)
    assert encoder.transform(pl.DataFrame({"length": [1e9, -1e9]}))[0][:, 0].tolist() == [3.0, -3.0]


def test_categories_are_numbered_by_frequency_then_name_and_the_rest_is_unknown():
    brands = ["rare", "b", "b", "a", "a", "top", "top", "top", None]
    encoder = FeatureEncoder.fit(pl.DataFrame({"brand": brands}), FeatureSpec(categorical=("brand",)), SETTINGS)
    _, categorical = encoder.transform(pl.DataFrame({"brand": ["top", "a", "b", "rare", "new", None]}))
    assert categorical[:, 0].tolist() == [1, 2, 0, 0, 0, 0]
    assert encoder.vocabulary_sizes == (3,)


def test_a_category_is_also_the_log_of_its_frequency_in_the_train_split():
    frame = pl.DataFrame({"brand": ["top", "top", "top", "a", "a", "rare", None]})
    encoder = FeatureEncoder.fit(frame, FeatureSpec(categorical=("brand",)), SETTINGS)
    numeric, _ = encoder.transform(pl.DataFrame({"brand": ["top", "a", "rare", "new", None]}))
    train = np.log1p([3, 3, 3, 2, 2, 0, 0])
    expected = (np.log1p([3, 2, 0, 0, 0]) - train.mean()) / train.std()
    np.testing.assert_allclose(numeric, np.column_stack([expected, [0, 0, 0, 0, 1]]), atol=1e-6)


def test_constant_and_empty_columns_say_nothing():
    frame = pl.DataFrame({"constant": [5.0, 5.0], "empty": pl.Series([None, None], dtype=pl.Float64)})
    encoder = FeatureEncoder.fit(frame, FeatureSpec(numeric=("constant", "empty")), SETTINGS)
    assert encoder.transform(frame)[0].tolist() == [[0, 0, 0, 1], [0, 0, 0, 1]]


def test_no_rows_and_no_columns_are_fine():
    encoder = FeatureEncoder.fit(TRAIN.clear(), SPEC, SETTINGS)
    assert [part.shape for part in encoder.transform(TRAIN)] == [(4, 6), (4, 1)]
    none = FeatureEncoder.fit(TRAIN, FeatureSpec(), SETTINGS)
    assert [part.shape for part in none.transform(TRAIN)] == [(4, 0), (4, 0)]


def test_a_missing_or_wrong_column_is_named():
    with pytest.raises(ModelError, match="'length' is not in the table"):
        FeatureEncoder.fit(TRAIN.drop("length"), SPEC, SETTINGS)
    with pytest.raises(ModelError, match="'brand' is declared numeric but holds String"):
        FeatureEncoder.fit(TRAIN, FeatureSpec(numeric=("brand",)), SETTINGS)


numbers = st.lists(st.none() | st.floats(-1e12, 1e12), min_size=1, max_size=20)
texts = st.lists(st.none() | st.text(max_size=3), min_size=1, max_size=20)


@given(numbers, texts)
def test_json_gives_back_exactly_the_same_encoder(lengths, brands):
    lengths_frame = pl.DataFrame({"length": lengths}, schema={"length": pl.Float64})
    brands_frame = pl.DataFrame({"brand": brands}, schema={"brand": pl.String})
    for frame, spec in ((lengths_frame, FeatureSpec(("length",))), (brands_frame, FeatureSpec((), ("brand",)))):
        encoder = FeatureEncoder.fit(frame, spec, TowerSettings(vocabulary_minimum=1))
        again = FeatureEncoder.from_dict(json.loads(json.dumps(encoder.to_dict())))
        assert again == encoder
        assert np.isfinite(encoder.transform(frame)[0]).all()


@given(numbers)
def test_a_row_is_encoded_independently_of_other_rows(lengths):
    frame = pl.DataFrame({"length": lengths}, schema={"length": pl.Float64})
    encoder = FeatureEncoder.fit(TRAIN, FeatureSpec(numeric=("length",)), SETTINGS)
    alone = np.concatenate([encoder.transform(frame[row])[0] for row in range(frame.height)])
    assert np.array_equal(encoder.transform(frame)[0], alone)


def test_loads_without_torch():
    code = "import sys, models.towers.feature_encoder, models.training.dataset; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_few_rows_are_indexed_as_many_are():
    vocabulary = Vocabulary(("us", "jp"), (5, 3), NumericScale(0.0, 0.0, 1.0))
    few = pl.Series(["jp", None, "us", "es"], dtype=pl.String)
    assert vocabulary.codes(few).tolist() == [2, 0, 1, 0]
    assert vocabulary.codes(pl.concat([few] * 10)).tolist() == [2, 0, 1, 0] * 10
    assert vocabulary.codes(few.head(0)).tolist() == []
