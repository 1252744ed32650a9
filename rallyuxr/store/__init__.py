"""Storage: DynamoDB, S3, the queue of failures and the functions, as access patterns. The only boto3."""

from rallyuxr.settings import Settings
from rallyuxr.store.aggregates import AggregateRepository, StoredObject
from rallyuxr.store.analyses import AnalysisRepository, AnalysisSummary, analysis_writes
from rallyuxr.store.audit import AuditEntry, AuditTrail, Change
from rallyuxr.store.cloud import Cloud
from rallyuxr.store.dynamo import Dynamo
from rallyuxr.store.experiments import ExperimentRepository, Listing, PipelineFailure, Position
from rallyuxr.store.exports import ExportFiles
from rallyuxr.store.failures import Failure, FailureQueue, Waiting
from rallyuxr.store.faults import pause
from rallyuxr.store.first_orders import FirstOrders
from rallyuxr.store.functions import ANALYSIS_PROCESSOR, ORDER_AGGREGATOR, RECONCILER, RESULTS_GENERATOR, Functions
from rallyuxr.store.idempotency import IdempotencyKeys
from rallyuxr.store.manifests import Manifest, manifest_version
from rallyuxr.store.marks import Marks
from rallyuxr.store.merchants import MerchantRepository
from rallyuxr.store.metric_values import MetricValueRepository
from rallyuxr.store.orders import OrderRepository, order_from_image
from rallyuxr.store.portfolio import Portfolio
from rallyuxr.store.results import ResultsRepository
from rallyuxr.store.tables import TABLES
from rallyuxr.store.usage import UsageRepository
from rallyuxr.store.visits import CountedHour, VisitRepository, counted_hour_from_image


class Store:
    """The repositories of one deployment; making one costs nothing, clients are made when first used."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.cloud = Cloud(settings)
        self.dynamo = Dynamo(self.cloud)
        self.experiments = ExperimentRepository(self.dynamo)
        self.results = ResultsRepository(self.dynamo)
        self.analyses = AnalysisRepository(self.dynamo)
        self.metric_values = MetricValueRepository(self.dynamo)
        self.usage = UsageRepository(self.dynamo)
        self.audit = AuditTrail(self.dynamo)
        self.failures = FailureQueue(self.cloud)
        self.functions = Functions(self.cloud)
        self.merchants = MerchantRepository(self.dynamo)
        self.orders = OrderRepository(self.dynamo)
        self.first_orders = FirstOrders(self.dynamo)
        self.visits = VisitRepository(self.dynamo)
        self.experiments_behind = Marks(self.dynamo, "#experiments")
        self.files_behind = Marks(self.dynamo, "#files")
        self.aggregates = AggregateRepository(self.cloud)
        self.exports = ExportFiles(self.cloud)
        self.idempotency = IdempotencyKeys(self.dynamo, self.exports)


__all__ = [
    "ANALYSIS_PROCESSOR",
    "ORDER_AGGREGATOR",
    "RECONCILER",
    "RESULTS_GENERATOR",
    "TABLES",
    "AggregateRepository",
    "AnalysisRepository",
    "AnalysisSummary",
    "AuditEntry",
    "AuditTrail",
    "Change",
    "CountedHour",
    "ExperimentRepository",
    "Failure",
    "FailureQueue",
    "FirstOrders",
    "Functions",
    "Listing",
    "Manifest",
    "Marks",
    "MerchantRepository",
    "MetricValueRepository",
    "OrderRepository",
    "PipelineFailure",
    "Portfolio",
    "Position",
    "ResultsRepository",
    "Store",
    "StoredObject",
    "UsageRepository",
    "VisitRepository",
    "Waiting",
    "analysis_writes",
    "counted_hour_from_image",
    "manifest_version",
    "order_from_image",
    "pause",
]
