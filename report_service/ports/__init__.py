"""What the services need from outside, as protocols, and the values that pass through them."""

from report_service.ports.api import Exchanged, Exchanges, Pacer, Permit, ReportApi, Request, Sent, Token
from report_service.ports.figures import Intake, Renderer, ReportSource, TableFile
from report_service.ports.ledger import (
    Ended,
    Intent,
    Lease,
    Ledger,
    RunRecord,
    Standing,
    Tally,
    Undelivered,
    Waiver,
)
from report_service.ports.process import Clock, Events, Pulse

__all__ = [
    "Clock",
    "Ended",
    "Events",
    "Exchanged",
    "Exchanges",
    "Intake",
    "Intent",
    "Lease",
    "Ledger",
    "Pacer",
    "Permit",
    "Pulse",
    "Renderer",
    "ReportApi",
    "ReportSource",
    "Request",
    "RunRecord",
    "Sent",
    "Standing",
    "TableFile",
    "Tally",
    "Token",
    "Undelivered",
    "Waiver",
]
