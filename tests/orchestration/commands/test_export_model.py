import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from models.encoder.torch_backend import TorchEncoder
from models.export.sentence_transformer import TOLERANCE, encode_side, load_export
from models.settings import EncoderSettings
from models.towers.numpy_inference import ProductTower, QueryTower
from orchestration.commands.export_model import FACTS_FILE, ExportReport, export_release
from orchestration.config.open_context import open_run_context
from orchestration.config.settings import load_settings
from warehouse.errors import WarehouseError
from warehouse.features import datasets


@pytest.fixture(scope="module")
def exported(
    copy_home: Callable[[], Path], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Path, ExportReport]:
    home, out = copy_home(), tmp_path_factory.mktemp("export") / "model"
    return home, out, export_release(open_run_context(load_settings(home)), out)


def test_stock_sentence_transformers_loads_it_and_gives_the_towers_vectors(
    exported: tuple[Path, Path, ExportReport],
) -> None:
    home, out, report = exported
    run_context = open_run_context(load_settings(home))
    model, encoder = load_export(out), TorchEncoder(EncoderSettings(backend="torch"))
    texts = ["wireless earbuds", "red mug without handle", "ワイヤレス イヤホン"]
    lake, checkpoint = run_context.home.lake, run_context.home.models / report.model
    query = QueryTower.load(checkpoint).without_features(datasets.queries(lake))
    product = ProductTower.load(checkpoint).without_features(datasets.products(lake))
    assert np.abs(encode_side(model, texts, "query") - query(encoder.encode(texts))).max() <= TOLERANCE
    assert np.abs(encode_side(model, texts, "product") - product(encoder.encode(texts))).max() <= TOLERANCE
    assert report.largest_difference <= TOLERANCE


def test_the_card_states_data_metrics_and_limits(exported: tuple[Path, Path, ExportReport]) -> None:
    home, out, report = exported
    card, facts = (out / "README.md").read_text(), json.loads((out / FACTS_FILE).read_text())
    assert all(f"## {heading}" in card for heading in ("Data", "Training", "Relevance", "Limits"))
    products = datasets.products(open_run_context(load_settings(home)).home.lake).height
    assert f"{products:,} products" in card
    assert facts["data"]["products"] == products
    assert report.relevance is not None
    for ranker in ("encoder", "export", "model"):
        assert f"{report.relevance[ranker]['recall@10']:.4f}" in card
    assert "title_words" in card  # what the model reads, and a text alone does not have


def test_a_folder_that_is_there_is_kept_unless_forced(
    exported: tuple[Path, Path, ExportReport], tmp_path: Path
) -> None:
    run_context = open_run_context(load_settings(exported[0]))
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").write_text("years of work")
    with pytest.raises(WarehouseError, match="already exists"):
        export_release(run_context, tmp_path / "out")
    assert [path.name for path in tmp_path.rglob("*")] == ["out", "thesis.txt"]
    export_release(run_context, tmp_path / "out", force=True)
    assert not (tmp_path / "out" / "thesis.txt").exists()
    assert (tmp_path / "out" / "modules.json").is_file()


def test_without_a_release_there_is_nothing_to_export(tmp_path: Path) -> None:
    with pytest.raises(WarehouseError, match="no release"):
        export_release(open_run_context(load_settings(tmp_path / "home")), tmp_path / "out")


def test_a_folder_that_may_not_be_written_is_named(
    exported: tuple[Path, Path, ExportReport], tmp_path: Path, read_only: Callable[[Path], None]
) -> None:
    run_context = open_run_context(load_settings(exported[0]))
    closed, empty = tmp_path / "closed", tmp_path / "empty"
    closed.mkdir()
    empty.mkdir()
    for folder in (closed, empty):
        read_only(folder)
    for out, named in ((closed / "model", closed), (closed / "a" / "model", closed), (empty, empty)):
        with pytest.raises(WarehouseError, match=f"^{named} may not be written") as refused:
            export_release(run_context, out)
        assert refused.value.hint.endswith("give another folder")
