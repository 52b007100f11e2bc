"""Serving models: the parts of a checkpoint that decide vectors, with the encoder and features of its training."""

from functools import cached_property

import polars as pl

from assets.run_context import RunContext
from assets.services.text_vectors import Matrix, TextVectors, product_texts, query_texts
from models.encoder.loading import encoder_fingerprint
from models.encoder.text_template import product_text
from models.towers.checkpoint_files import read_file, read_manifest, read_tensors
from models.towers.numpy_inference import ProductTower, QueryTower
from models.towers.product_fingerprint import product_side
from warehouse.code_digest import digest
from warehouse.features import offline_store, point_in_time
from warehouse.features.offline_store import Entity
from warehouse.features.query_features import VOCABULARY_FILE, QueryFeatures
from warehouse.vectors.product_vectors import table_name


class ServingModel:
    """Apply one model of the home to queries and products, with its own encoder, features and vocabulary, not the settings'."""

    def __init__(self, run_context: RunContext, model_id: str) -> None:
        """Read the checkpoint's description; a model that is not trained (`is_trained`) is its encoder itself.

        Raises:
            ModelError: A file is missing, damaged or of another format.
        """
        self.run_context, self.model_id = run_context, model_id
        self._directory = run_context.home.models / model_id
        self._manifest = read_manifest(self._directory)
        side = product_side(self._directory)
        self.dim: int = self._manifest["dim"]
        self.is_trained = self._manifest["alpha"] != 0
        self.product_columns = side.columns
        self.vector_table = table_name(side.fingerprint)

    @cached_property
    def texts(self) -> TextVectors:
        """Return the text vectors of the model's own encoder."""
        return TextVectors(self.run_context, self._manifest["metadata"]["encoder"])

    @classmethod
    def of(cls, run_context: RunContext, model_id: str) -> "ServingModel":
        """Return the model, shared by the steps of a run; its checkpoint must exist.

        Raises:
            ModelError: As above.
        """
        return run_context.cached(f"model {model_id}", lambda: cls(run_context, model_id))

    @cached_property
    def query_columns(self) -> tuple[str, ...]:
        """Return the names of the query features that the model reads.

        Raises:
            ModelError: The weights are missing or damaged.
        """
        read_tensors(self._directory, self._manifest)
        features = self._manifest["features"]["query"]
        return (*features["numeric"], *features["categorical"])

    def with_input_hash(self, products: pl.DataFrame) -> pl.DataFrame:
        """Add input_hash: the hash of a product's text and of the features that the model reads."""
        features = [pl.struct(self.product_columns).struct.json_encode()] if self.product_columns else []
        inputs = pl.concat_str(product_text(), *features, separator="\x1f")
        return products.with_columns(input_hash=inputs.map_elements(digest, return_dtype=pl.String))

    def changed(self, entity: Entity) -> pl.DataFrame | None:
        """Return the keys of the products or queries that changed since the live release, or None if they are unknown.

        They are known if the live release has the newest rows of the model's vectors: its row is their watermark.
        """
        home, live = self.run_context.home, self.run_context.home.releases.live()
        if live is None or live.vector_table != self.vector_table:
            return None
        newest = home.vectors.version(self.vector_table)
        if not home.vectors.has_same_rows(self.vector_table, live.vector_version, newest):
            return None
        since = live.snapshot

        def read() -> pl.DataFrame | None:
            with home.lake.reading() as connection:
                return offline_store.changed_keys(connection, entity, since)

        return self.run_context.cached(f"{entity} changed from {since} to {home.lake.snapshot()}", read)

    def text_vectors(self, texts: list[str]) -> Matrix:
        """Return the cached vectors of texts: (texts, dim); an earlier encoder first encodes those not cached."""
        if self.texts.fingerprint != encoder_fingerprint(self.run_context.encoder):
            self.texts.fill(texts)
        return self.texts.cached(texts)

    def product_vectors(self, products: pl.DataFrame) -> Matrix:
        """Return the vectors of products: (products, dim)."""
        return self.tower_vectors(self.text_vectors(product_texts(products)), products)

    def tower_vectors(self, base: Matrix, products: pl.DataFrame) -> Matrix:
        """Return the product tower's vectors for products and their text vectors: (products, dim)."""
        return self._product_tower(base, products.select(self.product_columns))

    def query_vectors(self, queries: pl.DataFrame, base: Matrix | None = None, snapshot: int | None = None) -> Matrix:
        """Return the vectors of queries as a search computes them: (queries, dim).

        Args:
            queries: Columns key, locale and query (cleaned).
            base: The encoder's vectors of the queries; None: from the cache.
            snapshot: The snapshot of the time-series features; None: the newest.
        """
        if base is None:
            base = self.text_vectors(query_texts(queries))
        return QueryTower.load(self._directory)(base, self.query_features(queries, snapshot))

    def query_features(self, queries: pl.DataFrame, snapshot: int | None = None) -> pl.DataFrame:
        """Return the features of queries (key, locale, query) as a search computes them, with the model's own vocabulary."""
        features = QueryFeatures(self.vocabulary)(queries)
        with self.run_context.home.lake.reading(snapshot) as connection:
            return point_in_time.add_search_features(connection, features, queries["key"].to_list())

    @cached_property
    def vocabulary(self) -> pl.DataFrame:
        """Return the rows of fitted.vocabulary that the model was trained with."""
        return pl.read_parquet(read_file(self._directory, self._manifest, VOCABULARY_FILE))

    @cached_property
    def _product_tower(self) -> ProductTower:
        return ProductTower.load(self._directory)
