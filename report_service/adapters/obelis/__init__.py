"""The authority's API: the only room that knows httpx."""

from report_service.lean_imports import import_lean

import_lean("httpx")
