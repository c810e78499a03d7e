"""Deliver a charge point operator's monthly reports to OBELISdeutschlandnetz, and prove it."""

__version__ = "0.1.0"
