"""Metrics in Prometheus' text format: requests, stages of searches, the release, and rows outside its indexes."""

import os
from collections.abc import Callable, Iterable, Mapping

from prometheus_client import CONTENT_TYPE_PLAIN_1_0_0, CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from orchestration.service.release_follower import ReleaseFollower
from warehouse.operations.reindexing import outside

_REQUEST_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_STAGE_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5)
_DELTA_S = (0.5, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
_FROM = 500  # a status of this or more is an error of the service


class Metrics:
    """Count what the service does. Several processes add up where PROMETHEUS_MULTIPROC_DIR names their folder."""

    media_type = CONTENT_TYPE_PLAIN_1_0_0

    def __init__(self, live: ReleaseFollower, max_unindexed_share: float, waiting: Callable[[], int]) -> None:
        self._registry = CollectorRegistry()
        self._requests = Histogram(
            "stockroom_request_seconds",
            "Time of a request, by route, method and status",
            ["route", "method", "status"],
            buckets=_REQUEST_S,
            registry=self._registry,
        )
        self._errors = Counter(
            "stockroom_errors",
            "Requests that failed by a fault of the service, by route",
            ["route"],
            registry=self._registry,
        )
        self._stages = Histogram(
            "stockroom_search_stage_seconds",
            "Time of a stage of a search; text and vector run at the same time",
            ["stage"],
            buckets=_STAGE_S,
            registry=self._registry,
        )
        self._deltas = Histogram(
            "stockroom_delta_seconds",
            "Time from a posted delta to its answer, by outcome",
            ["state"],
            buckets=_DELTA_S,
            registry=self._registry,
        )
        self._of_release = _OfRelease(live, max_unindexed_share, waiting)

    def request(self, route: str, method: str, status: int, seconds: float) -> None:
        """Count a request."""
        self._requests.labels(route, method, str(status)).observe(seconds)
        if status >= _FROM:
            self._errors.labels(route).inc()

    def stages(self, seconds: Mapping[str, float]) -> None:
        """Count the stages of a search."""
        for stage, each in seconds.items():
            self._stages.labels(stage).observe(each)

    def delta(self, state: str, seconds: float) -> None:
        """Count a posted delta."""
        self._deltas.labels(state).observe(seconds)

    def text(self) -> bytes:
        """Return all metrics in Prometheus' text format."""
        registry = CollectorRegistry()
        if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
            MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        else:
            registry.register(_Others(self._registry))
        registry.register(self._of_release)
        return generate_latest(registry)


class _Others(Collector):
    """Collect what another registry holds."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry

    def collect(self) -> Iterable[Metric]:
        """Yield the metrics of the other registry."""
        return self._registry.collect()


class _OfRelease(Collector):
    """Collect what is known of the served release at the time of asking."""

    def __init__(self, live: ReleaseFollower, max_unindexed_share: float, waiting: Callable[[], int]) -> None:
        self._live, self._share, self._waiting = live, max_unindexed_share, waiting
        self._outside: tuple[int, int, int] = 0, 0, 0  # release, vectors, texts

    def collect(self) -> Iterable[Metric]:
        """Yield the number and age of the release, the rows outside its indexes, and the deltas that wait."""
        release = self._live.served().release.release
        if self._outside[0] != release:
            lacking = outside(self._live.home, self._share)
            self._outside = release, lacking.vectors, lacking.texts
        yield GaugeMetricFamily("stockroom_release", "Number of the release that this process answers from", release)
        yield GaugeMetricFamily(
            "stockroom_release_age_seconds", "Time since that release was published", self._live.age_s()
        )
        rows = GaugeMetricFamily(
            "stockroom_rows_outside_index", "Products that an index of the live release lacks", labels=["index"]
        )
        rows.add_metric(["vector"], self._outside[1])
        rows.add_metric(["text"], self._outside[2])
        yield rows
        yield GaugeMetricFamily("stockroom_deltas_waiting", "Posted deltas that are not applied yet", self._waiting())
