"""The store before it is used: what `check` asks of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreFacts:
    """What is known of a store before it is used."""

    place: str  # without a password
    revision: str | None  # of its tables; None: there are none
    needed_revision: str
    auto_upgrade: bool
    free_bytes: int | None  # on the disk of a file; None: the store is a server's


class StoreProbe(Protocol):
    """Tries the store, and changes nothing."""

    def facts(self) -> StoreFacts:
        """Return what is known of it; raise StoreUnavailable."""

    def require_use(self) -> None:
        """Raise StoreUnavailable or ConfigurationError unless it is this CPO's and this role can write it."""
