"""The searcher: returns products for a query, from exactly one release. It needs neither Dagster nor torch."""

from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl

from models.encoder.loading import Encoder, load_encoder
from models.encoder.openvino_backend import OpenVinoEncoder
from models.encoder.text_template import query_text
from models.settings import EncoderSettings
from models.towers.checkpoint_files import read_file, read_manifest
from models.towers.numpy_inference import QueryTower
from orchestration.config.open_home import open_home
from orchestration.config.settings import load_settings
from warehouse.errors import WarehouseError
from warehouse.features import point_in_time
from warehouse.features.query_features import KNOWN_AT_SEARCH, VOCABULARY_FILE, QueryFeatures
from warehouse.home import Home
from warehouse.serving.release_log import Release
from warehouse.transform.text_cleaning import clean_text

_QUERY_SCHEMA = dict.fromkeys(KNOWN_AT_SEARCH, pl.String)


@dataclass(frozen=True)
class Hit:
    """One product of a search result: rank from 1, score is the cosine of query and product vector."""

    rank: int
    key: str
    product_id: str
    locale: str
    title: str
    score: float

    def to_dict(self) -> dict[str, Any]:
        """Return the hit as plain values, for JSON."""
        return asdict(self)


class Searcher:
    """Answer queries from one release: the one that was live at opening or at the last refresh, or `release`.

    A searcher keeps its release whatever is published, rolled back or written meanwhile. `home` is a path, opened with the
    settings that hold for it, the encoder's included, or an open home.

    Raises:
        WarehouseError: There is no release yet, or a part of the release was deleted.
    """

    def __init__(
        self, home: Home | Path | str, encoder: EncoderSettings | None = None, release: Release | None = None
    ) -> None:
        if not isinstance(home, Home):
            settings = load_settings(Path(home))
            home, encoder = open_home(settings), encoder or settings.encoder
        self._home = home
        self._settings = encoder or EncoderSettings()
        if release is None:
            self.refresh()
        else:
            self.move_to(release)

    def refresh(self) -> Release:
        """Use the release that is live now, and return the release."""
        release = self._home.releases.require()
        self.move_to(release)
        return release

    def move_to(self, release: Release) -> None:
        """Answer from this release from now on, whether it is live or not."""
        directory = self._home.models / release.model_id
        encoder, tower = self._open_encoder(release), QueryTower.load(directory)
        features = QueryFeatures(pl.read_parquet(read_file(directory, read_manifest(directory), VOCABULARY_FILE)))
        # set together: an error above leaves the searcher at its old release
        self.release, self._encoder, self._tower, self._features = release, encoder, tower, features

    def search(
        self,
        query: str,
        k: int = 10,
        locale: str | None = None,
        *,
        context: str | None = None,
        at: datetime | None = None,
    ) -> list[Hit]:
        """Return the `k` products nearest to the query, best first; from all locales if `locale` is None.

        Each time-series feature of the query and of its `context` has the latest value at time `at`, by default at the
        release's as-of time. Product vectors always use the as-of time.

        Raises:
            WarehouseError: The cleaned query is empty, the locale has no products, the context is unknown, or context or
                time are given and the model reads no features that they could change.
        """
        text = clean_text(query)
        if text is None:
            raise WarehouseError("the query is blank", "give at least one word to search for")
        features = self._features_of(text, locale, context, at)
        vector = self._tower(self._encoder.encode([query_text(text)]), features)[0]  # (dim,)
        matches = self._home.vectors.search(self.release.vector_table, self.release.vector_version, vector, k, locale)
        if matches.is_empty():
            raise WarehouseError(
                f"release {self.release.release} has no products" + (f" of locale {locale!r}" if locale else ""),
                "search without a locale, or list the locales: SELECT DISTINCT locale FROM vectors.products",
            )
        return [Hit(**row) for row in matches.iter_rows(named=True)]

    def _features_of(self, text: str, locale: str | None, context: str | None, at: datetime | None) -> pl.DataFrame:
        """Return the query tower's features of one cleaned query."""
        features = self._features(pl.DataFrame([("query", locale, text)], schema=_QUERY_SCHEMA, orient="row"))
        if set(self._tower.features.spec.columns) <= set(features.columns):
            # No time-series features: the lake need not be opened.
            if context is not None or at is not None:
                raise WarehouseError(
                    f"release {self.release.release} reads no time-series features of queries or contexts",
                    "search without context and time, or declare feature views, then build",
                )
            return features
        with self._home.lake.reading(self.release.snapshot) as connection:
            if context is not None:
                point_in_time.check_context(connection, context)
            key = point_in_time.known_query(connection, text, locale)
            return point_in_time.add_search_features(connection, features, [key], context, at)

    def _open_encoder(self, release: Release) -> Encoder:
        """Return the release's encoder: the open one, else the exported one, else the one that the settings name."""
        if hasattr(self, "release") and self.release.encoder_fingerprint == release.encoder_fingerprint:
            return self._encoder
        folder = self._home.encoders / release.encoder_fingerprint
        if folder.is_dir():
            return OpenVinoEncoder(folder, batch_texts=1, threads=self._settings.threads)
        encoder = load_encoder(self._settings, self._home.encoders)
        if encoder.fingerprint != release.encoder_fingerprint:
            raise WarehouseError(
                f"release {release.release} was made with encoder {release.encoder_fingerprint}, "
                f"the settings name {encoder.fingerprint}",
                "set encoder.model to the encoder of the release, or build a release with the new encoder",
            )
        return encoder
