"""What the services need from outside, as protocols, and the values that pass through them."""

from report_service.ports.api import (
    CompletedRequest,
    RateLimiter,
    ReportApi,
    Request,
    RequestExecutor,
    SendCheck,
    Token,
)
from report_service.ports.figures import Intake, Renderer, ReportSource, TableFile
from report_service.ports.ledger import (
    AttemptResult,
    AttemptStart,
    DeliveryStatus,
    Lease,
    Ledger,
    MonthCounts,
    RunRecord,
    Undelivered,
    Waiver,
)
from report_service.ports.process import Clock, Events, HealthSnapshot

__all__ = [
    "AttemptResult",
    "AttemptStart",
    "Clock",
    "CompletedRequest",
    "DeliveryStatus",
    "Events",
    "HealthSnapshot",
    "Intake",
    "Lease",
    "Ledger",
    "MonthCounts",
    "RateLimiter",
    "Renderer",
    "ReportApi",
    "ReportSource",
    "Request",
    "RequestExecutor",
    "RunRecord",
    "SendCheck",
    "TableFile",
    "Token",
    "Undelivered",
    "Waiver",
]
