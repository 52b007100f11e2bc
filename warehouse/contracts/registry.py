"""The list of all contracts, by table name."""

from warehouse.contracts.contract import Contract
from warehouse.contracts.data_dictionary import RegistryFeatures, RegistryLineage, RegistryTables
from warehouse.contracts.deltas import RawDeltas, RawEvents
from warehouse.contracts.tables.evaluation import (
    EvaluationFolds,
    EvaluationGate,
    EvaluationKnownItems,
    EvaluationMetrics,
    EvaluationQueries,
    EvaluationRankings,
    EvaluationTrainingLog,
    EvaluationTrials,
)
from warehouse.contracts.tables.features import (
    FeaturePairs,
    FeatureProducts,
    FeatureQueries,
    FittedVocabulary,
    FittedWords,
)
from warehouse.contracts.tables.history import RegistryChanges, RegistrySnapshots, RegistryWatermarks
from warehouse.contracts.tables.monitoring import MonitoringDrift, MonitoringFeatureStats, MonitoringVersions
from warehouse.contracts.tables.quarantine import QuarantineRows
from warehouse.contracts.tables.raw import RawFiles, RawJudgements, RawProducts, RawSearchRules, RawSources
from warehouse.contracts.tables.staging import StagingJudgements, StagingProducts, StagingQueries, StagingSearchRules
from warehouse.contracts.tables.training import SplitsQueries, TrainingMining, TrainingNegatives, TrainingPairs
from warehouse.contracts.time_series import RegistryFeatureViews, TrainingPointInTime

CONTRACTS = {
    contract.table: contract
    for contract in (
        Contract("raw.files", RawFiles),
        Contract("raw.products", RawProducts),
        Contract("raw.judgements", RawJudgements),
        Contract("raw.sources", RawSources),
        Contract("raw.search_rules", RawSearchRules),
        Contract("raw.deltas", RawDeltas),
        Contract("raw.events", RawEvents),
        Contract("quarantine.rows", QuarantineRows),
        Contract("staging.products", StagingProducts),
        Contract("staging.queries", StagingQueries),
        Contract("staging.judgements", StagingJudgements),
        Contract("staging.search_rules", StagingSearchRules),
        Contract("splits.queries", SplitsQueries),
        Contract("fitted.vocabulary", FittedVocabulary),
        Contract("fitted.words", FittedWords),
        Contract("features.products", FeatureProducts),
        Contract("features.queries", FeatureQueries),
        Contract("features.pairs", FeaturePairs),
        Contract("training.pairs", TrainingPairs),
        Contract("training.point_in_time", TrainingPointInTime),
        Contract("training.negatives", TrainingNegatives),
        Contract("training.mining", TrainingMining),
        Contract("evaluation.metrics", EvaluationMetrics),
        Contract("evaluation.queries", EvaluationQueries),
        Contract("evaluation.rankings", EvaluationRankings),
        Contract("evaluation.known_items", EvaluationKnownItems),
        Contract("evaluation.gate", EvaluationGate),
        Contract("evaluation.training_log", EvaluationTrainingLog),
        Contract("evaluation.folds", EvaluationFolds),
        Contract("evaluation.trials", EvaluationTrials),
        Contract("monitoring.versions", MonitoringVersions),
        Contract("monitoring.feature_stats", MonitoringFeatureStats),
        Contract("monitoring.drift", MonitoringDrift),
        Contract("registry.lineage", RegistryLineage),
        Contract("registry.snapshots", RegistrySnapshots),
        Contract("registry.tables", RegistryTables),
        Contract("registry.features", RegistryFeatures),
        Contract("registry.changes", RegistryChanges),
        Contract("registry.watermarks", RegistryWatermarks),
        Contract("registry.feature_views", RegistryFeatureViews),
    )
}
