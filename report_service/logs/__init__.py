"""How the log contract of `events` reaches the outside.

`sink.LogEvents` holds events to the contract, `redaction.Redactor` takes secrets out of them,
`config.configure_logging` sets up structlog and the standard library's logging, `reference` generates the schema
and the table.
"""

from report_service.lean_imports import import_lean

import_lean("structlog")
