"""The searcher: a query in, products out, from exactly one release. It needs neither Dagster nor torch."""

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

_ASKED = dict.fromkeys(KNOWN_AT_SEARCH, pl.String)


@dataclass(frozen=True)
class Hit:
    """One product found: rank from 1, score the cosine of query and product vector."""

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
    """Answer queries from the release that was live when it was opened or last refreshed, or from another that is given.

    It stays with that release whatever is published, rolled back or written meanwhile. The home is given by its path, with
    the settings that hold for it, its encoder's too, or as an open one.

    Raises:
        WarehouseError: There is no release yet, or something of the release is gone.
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
        """Move on to the release that is live now, and return it."""
        release = self._home.releases.require()
        self.move_to(release)
        return release

    def move_to(self, release: Release) -> None:
        """Answer from a release that is given, live or not, from now on."""
        directory = self._home.models / release.model_id
        encoder, tower = self._open_encoder(release), QueryTower.load(directory)
        features = QueryFeatures(pl.read_parquet(read_file(directory, read_manifest(directory), VOCABULARY_FILE)))
        # none of them without the others
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
        """Return the `k` products nearest to the query, best first; of all locales when none is given.

        time-series features of the query and of the `context` that it is asked in are those in force at the time `at`, by
        default at the release's as-of time, which product vectors always keep to.

        Raises:
            WarehouseError: Nothing is left of the query once it is cleaned, the locale has no products, the context is
                unknown, or context or time are given and the model reads nothing that they could change.
        """
        text = clean_text(query)
        if text is None:
            raise WarehouseError("the query is blank", "type some words to search for")
        features = self._features_of(text, locale, context, at)
        vector = self._tower(self._encoder.encode([query_text(text)]), features)[0]  # (dim,)
        found = self._home.vectors.search(self.release.vector_table, self.release.vector_version, vector, k, locale)
        if found.is_empty():
            raise WarehouseError(
                f"release {self.release.release} has no products" + (f" of locale {locale!r}" if locale else ""),
                "search without a locale, or list those there are: SELECT DISTINCT locale FROM vectors.products",
            )
        return [Hit(**row) for row in found.iter_rows(named=True)]

    def _features_of(self, text: str, locale: str | None, context: str | None, at: datetime | None) -> pl.DataFrame:
        """Return what the query tower reads of one cleaned query besides its vector."""
        features = self._features(pl.DataFrame([("query", locale, text)], schema=_ASKED, orient="row"))
        if set(self._tower.features.spec.columns) <= set(features.columns):
            # No time-series ones: the lake need not be opened.
            if context is not None or at is not None:
                raise WarehouseError(
                    f"release {self.release.release} reads no time-series features of queries or contexts",
                    "search without context and time, or declare such features and build",
                )
            return features
        with self._home.lake.reading(self.release.snapshot) as connection:
            if context is not None:
                point_in_time.check_context(connection, context)
            key = point_in_time.known_query(connection, text, locale)
            return point_in_time.add_asked_features(connection, features, [key], context, at)

    def _open_encoder(self, release: Release) -> Encoder:
        """Return the encoder that the release was made with: the one at hand, the exported one, else by the settings."""
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
                "set the encoder back, or build a release with the new one",
            )
        return encoder
