"""Whether the daemon beside this process lives: where its pulse is, and what the pulse says of that.

An orchestrator asks once a minute, perhaps on a tenth of a core, and starts the daemon anew if the answer is no.
So `report-service health --live` comes here before anything else is imported, and this imports next to nothing and
reads no setting but health.file. What a new start would not mend (the API is down, the store is away) is left to
`health`.
"""

from __future__ import annotations

import json
import os
import time
import zlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

CONFIG_VARIABLE = "REPORT_SERVICE_CONFIG"
CONFIG_FILES = ("report-service.toml", "/etc/report-service/report-service.toml")
"""Where the configuration is unless it is named: the first that is there."""
FILE_VARIABLE = "REPORT_SERVICE_HEALTH__FILE"

FOLDERS = ("/tmp", "/dev/shm", ".")  # noqa: S108 - the file's name is our own, and it is replaced as a whole
"""Where the pulse may be unless health.file names it: one can be written below a read-only root, too."""

STUCK_S = 900.0
"""A worker that did not move for so long hangs; planning a large month over a slow query takes minutes."""


def config_file(named: str | None, environ: Mapping[str, str]) -> str | None:
    """Return the configuration in force: as command line or environment name it, or the first that is there."""
    named = named or environ.get(CONFIG_VARIABLE)
    return named or next((file for file in CONFIG_FILES if os.path.exists(file)), None)


def pulse_files(config: str | None) -> tuple[str, ...]:
    """Return where the pulse may be when health.file does not say: the same for all who use this configuration.

    Without a configuration file the working directory stands for it.
    """
    whose = os.path.abspath(config or ".")
    name = f"report-service-{zlib.crc32(whose.encode()):08x}.json"  # hashlib would load all of OpenSSL
    return tuple(os.path.join(folder, name) for folder in FOLDERS)


def ailment(*, beat_at: float, stale_after_s: float, moved_at: float, at: float) -> str | None:
    """Return why the daemon does not live at `at`, in one line; None if it does. All in monotonic seconds."""
    age_s, still_s = at - beat_at, at - moved_at
    if age_s < 0:
        return "the last heartbeat is from before this machine was started"
    if age_s > stale_after_s:
        return f"no heartbeat for {age_s:.0f} s: the daemon is dead or hangs"
    if still_s > STUCK_S:
        return f"the worker has not moved for {still_s:.0f} s: it hangs"
    return None


def check(named: str | None, environ: Mapping[str, str]) -> int:
    """Print in one line whether the daemon lives; return 0 if so, else 1. `named`: by the command line."""
    config = config_file(named, environ)
    try:
        given = environ.get(FILE_VARIABLE) or _configured(config)
        pulse = newest_pulse((given,) if given else pulse_files(config))
        rules = ("beat_at", "stale_after_s", "moved_at")
        why = ailment(**{rule: float(pulse[rule]) for rule in rules}, at=time.monotonic())
    except (OSError, ValueError, KeyError, TypeError) as unreadable:
        why = str(unreadable) or type(unreadable).__name__
    else:
        why = why and f"{why} ({pulse.get('instance')})"
    print(why or "alive")  # noqa: T201 - this is what the command is for
    return 1 if why else 0


def newest_pulse(files: tuple[str, ...]) -> dict[str, Any]:
    """Return the pulse with the latest heartbeat; raise OSError or ValueError that says why there is none."""
    found = []
    for file in files:
        try:
            with open(file, encoding="utf-8") as text:
                found.append(json.load(text))
        except FileNotFoundError:
            pass
        except ValueError as exc:
            raise ValueError(f"{file} cannot be read: {exc}") from exc
    if not found:
        raise FileNotFoundError(_nowhere(files))
    newest: dict[str, Any] = max(found, key=lambda pulse: pulse["beat_at"])
    return newest


def _nowhere(files: tuple[str, ...]) -> str:
    """Say that no pulse is there, and plainly so if none could be."""
    folders = [os.path.dirname(file) or "." for file in files]
    if not any(os.access(folder, os.W_OK) for folder in folders):
        return f"no pulse can be left here: {', '.join(folders)} cannot be written; name a file by health.file"
    return f"no daemon runs here with this configuration: none of {', '.join(files)} is there"


def _configured(config: str | None) -> str | None:
    """Return health.file as a configuration has it; what else is in it does not matter here."""
    if config is None:
        return None
    import tomllib  # noqa: PLC0415 - where there is no file, its import costs as much as all the rest

    with open(config, "rb") as file:
        section = tomllib.load(file).get("health", {})
    given = section.get("file") if isinstance(section, dict) else None
    return given if isinstance(given, str) else None
