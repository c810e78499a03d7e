"""Import a library without what it would merely like to have.

httpx imports rich, pygments and click for a command line of its own, structlog rich for its tracebacks, when they
are installed. A daemon needs none of that, and would carry 6 MB of it for months.
"""

from __future__ import annotations

import sys
from importlib import import_module

LUXURIES = ("rich", "pygments")


def import_lean(name: str) -> None:
    """Import a module so that an import of the LUXURIES fails meanwhile; what is there already stays."""
    hidden = [luxury for luxury in LUXURIES if luxury not in sys.modules]
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]  # None: the import system's word for "not there"
    try:
        import_module(name)
    finally:
        for luxury in hidden:
            del sys.modules[luxury]
