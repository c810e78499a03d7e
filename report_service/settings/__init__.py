"""The settings: what can be set (`model`), by which rules (`rules`), and where it is read from (`loading`).

Nothing else in the program reads the environment, but for `liveness`, which must be light.
"""

from report_service.settings.listing import Setting, all_settings
from report_service.settings.loading import load_settings
from report_service.settings.model import Settings

__all__ = ["Setting", "Settings", "all_settings", "load_settings"]
