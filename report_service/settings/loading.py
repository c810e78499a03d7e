"""Where settings are read from: a TOML file, the secrets folder, files named by variables, the environment.

Plain code rather than the sources of pydantic-settings: those do not say where a value came from, pass over
a misspelt section in a variable's name, know no `_FILE` form, and print the value that they refuse.
"""

from __future__ import annotations

import difflib
import json
import logging
import os
import re
import tomllib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from pydantic import ValidationError

from report_service.errors import ConfigurationError
from report_service.liveness import CONFIG_FILES, CONFIG_VARIABLE
from report_service.settings.listing import ANY_NAME, ENV_PREFIX, Setting, all_settings
from report_service.settings.model import Settings
from report_service.settings.rules import masked

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from pydantic_core import ErrorDetails

DEFAULT_FILES = tuple(map(Path, CONFIG_FILES))
SECRETS_DIR = Path("/run/secrets")

_OTHER_VARIABLES = {CONFIG_VARIABLE, "REPORT_SERVICE_TEST_POSTGRES_URL", "REPORT_SERVICE_CONTAINER_TOOL"}
# Kubernetes puts these into every container beside a service whose name begins with report-service.
_SERVICE_LINK = re.compile(
    rf"(?!.*__){ENV_PREFIX}(\w+_)?(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT(_\d+_(TCP|UDP|SCTP)(_\w+)?)?)"
)

_log = logging.getLogger(__name__)
_HIDDEN = "(not shown)"
_ABSENT = (FileNotFoundError, NotADirectoryError)
_RULES = {
    "bool_type": "must be true or false",
    "finite_number": "must be a number",
    "float_type": "must be a number",
    "greater_than": "must be above {gt:g}",
    "greater_than_equal": "must be at least {ge:g}",
    "int_type": "must be a whole number",
    "less_than": "must be below {lt:g}",
    "less_than_equal": "must be at most {le:g}",
    "literal_error": "must be {expected}",
    "missing": "is needed",
    "path_type": "must be text in quotes",
    "string_too_short": "must not be empty",
    "string_type": "must be text in quotes",
    "string_unicode": "must be UTF-8",
    "value_error": "{error}",
}
"""What pydantic finds wrong, in our words; none of them repeats the value."""


def load_settings(
    path: Path | None = None,
    environ: Mapping[str, str] | None = None,
    *,
    secrets_dir: Path = SECRETS_DIR,
    default_files: Iterable[Path] = DEFAULT_FILES,
    warn: Callable[[str], None] = _log.warning,
) -> Settings:
    """Return the settings: environment over `_FILE` variables over the secrets folder over the TOML file.

    `path` is the command line's --config; without it the file that REPORT_SERVICE_CONFIG names, or the
    first of `default_files` that is there, or none. `environ` is the process's own unless given; an empty
    variable counts as unset, and `warn` is told of each that looks like a setting and names no section.
    Raise ConfigurationError that lists every problem and holds no secret, not even in its context.
    """
    environ = os.environ if environ is None else environ
    named = path or environ.get(CONFIG_VARIABLE)
    reading = _Reading(secrets_dir)
    reading.toml([Path(named)] if named else default_files, optional=not named)
    reading.secrets()
    reading.environment(environ)
    settings = reading.settings()
    if settings is None or reading.problems:
        raise ConfigurationError(
            "the configuration cannot be used:\n" + "\n".join(f"  - {line}" for line in reading.problems),
            hint="Correct each line above; config/report-service.toml explains every setting.",
        )
    for warning in reading.warnings:
        warn(warning)
    return settings


@dataclass(frozen=True, slots=True, kw_only=True)
class _Given:
    """A value, where it came from, and how it is shown to a person."""

    value: object
    place: str
    shown: str


class _Reading:
    """What has been read so far, the later over the earlier, and everything wrong with it."""

    def __init__(self, secrets_dir: Path) -> None:
        self.problems: list[str] = []
        self.warnings: list[str] = []
        self._given: dict[tuple[str, ...], _Given] = {}
        self._file = DEFAULT_FILES[0]
        self._file_is_broken = False
        self._secrets_dir = secrets_dir
        self._known = {setting.path: setting for setting in all_settings()}
        self._variables = {setting.variable: setting for setting in self._known.values()}
        self._sections = {path[:end] for path in self._known for end in range(1, len(path))}

    def toml(self, files: Iterable[Path], *, optional: bool) -> None:
        """Read the first of the files that is there; unless `optional`, one has to be."""
        for file in files:
            try:
                table = tomllib.loads(file.read_text("utf-8-sig"))
            except _ABSENT as exc:
                if not optional:
                    self._broken(file, exc.strerror)
            except OSError as exc:
                return self._broken(file, exc.strerror)
            except ValueError as exc:  # TOMLDecodeError, UnicodeDecodeError: a position, never the text
                return self._broken(file, str(exc))
            else:
                self._file = file
                return self._table(table, ())
        return None

    def _broken(self, file: Path, reason: str | None) -> None:
        self._file_is_broken = True
        self.problems.append(f"{file}: cannot be read as TOML: {reason}; mend it, or name another with --config")

    def _table(self, table: dict[str, Any], above: tuple[str, ...]) -> None:
        for name, value in table.items():
            path = (*above, name)
            key = ".".join(path)
            if path in self._sections and isinstance(value, dict):
                self._table(value, path)
            elif path in self._sections:
                self.problems.append(f"{self._file}: {key}: must be a table, written [{key}]")
            elif setting := self._setting(path):
                self._give(setting, value, str(self._file))
            else:
                known = {".".join(path): ".".join(path) for path in (*self._known, *self._sections)}
                self._unknown(f"{self._file}: {key}", key, known)

    def secrets(self) -> None:
        """Read the secrets folder: a file in it bears its variable's name in lower case."""
        for setting in self._known.values():
            file = self._secrets_dir / setting.variable.lower()
            self._read(setting, file, place=str(file), optional=True)

    def environment(self, environ: Mapping[str, str]) -> None:
        """Read the environment: first the files that `_FILE` variables name, then the variables themselves."""
        ours = {name: self._variable(name) for name in sorted(environ) if environ[name] and _is_ours(name)}
        for name in (name for name, setting in ours.items() if setting is None):
            if setting := self._variable(name.removesuffix("_FILE")):
                self._read(setting, Path(environ[name]), place=name, optional=False)
            else:
                self._unknown_variable(name)
        for name, setting in ours.items():
            if setting:
                self._give(setting, _typed(environ[name], setting.kind), name)

    def _setting(self, path: tuple[str, ...]) -> Setting | None:
        if wild := self._known.get((*path[:-1], ANY_NAME)):
            # HTTP does not tell header names apart by case, and variables have upper case only.
            return replace(wild, path=(*path[:-1], path[-1].lower()))
        return self._known.get(path)

    def _variable(self, name: str) -> Setting | None:
        section, _, last = name.rpartition("__")
        wild = self._variables.get(f"{section}__{ANY_NAME.upper()}")
        if wild and not last.endswith("_FILE"):
            return replace(wild, path=(*wild.path[:-1], last.lower().replace("_", "-")))
        return self._variables.get(name)

    def _read(self, setting: Setting, file: Path, *, place: str, optional: bool) -> None:
        """Take the file's text, without the newline at its end, as the setting's value; never show it."""
        try:
            text = file.read_text("utf-8-sig").rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as exc:
            if not (optional and isinstance(exc, _ABSENT)):
                reason = exc.strerror if isinstance(exc, OSError) else "it is not UTF-8"
                self.problems.append(f"{place}: {setting.key}: must be a file that can be read: {reason}")
        else:
            self._give(setting, _typed(text, setting.kind), place, hidden=True)

    def _give(self, setting: Setting, value: object, place: str, *, hidden: bool = False) -> None:
        shown = _HIDDEN if hidden or setting.secret else _shown(value)
        self._given[setting.path] = _Given(value=value, place=place, shown=shown)

    def _unknown(self, place: str, name: str, known: Mapping[str, str]) -> None:
        self.problems.append(f"{place}: no such setting{_nearest(name, known)}")

    def _unknown_variable(self, name: str) -> None:
        """Refuse a variable that names a section; without one it may well be somebody else's."""
        known = {variable.removeprefix(ENV_PREFIX): variable for variable in self._variables}
        short = name[len(ENV_PREFIX) :].upper()
        if "__" in short:
            self._unknown(name, short, known)
        else:
            self.warnings.append(f"{name}: no such setting, so it is passed over{_nearest(short, known)}")

    def settings(self) -> Settings | None:
        """Return the settings if they are whole and right."""
        if self._file_is_broken:  # what it says is not known, so nothing can be said to be missing
            return None
        tree: dict[str, Any] = {"obelis": {}}
        for path, given in self._given.items():
            section = tree
            for name in path[:-1]:
                section = section.setdefault(name, {})
            section[path[-1]] = given.value
        try:
            return Settings.model_validate(tree)
        except ValidationError as exc:
            self.problems += map(self._problem, exc.errors(include_url=False, include_input=False))
        return None

    def _problem(self, error: ErrorDetails) -> str:
        path = tuple(str(name) for name in error["loc"] if name != "[key]")
        setting = self._setting(path)
        assert setting is not None, path
        rule = _RULES.get(error["type"], error["msg"]).format(**error.get("ctx", {}))
        explained = rule if error["type"] == "value_error" else f"{rule} ({setting.description})"
        if given := self._given.get(path):
            return f"{given.place}: {setting.key} = {given.shown}: {explained}"
        # Without a colon, after which the log would take a word for the secret.
        return f"{setting.key} {explained}; {self._way_to_give(setting)}"

    def _way_to_give(self, setting: Setting) -> str:
        section, _, name = setting.key.rpartition(".")
        if setting.secret:
            file = self._secrets_dir / setting.variable.lower()
            return f"put it into the file {file}, a file named by {setting.variable}_FILE, or {setting.variable}"
        return f"set {name} in [{section}] of {self._file}, or {setting.variable}"


def _is_ours(variable: str) -> bool:
    """Return True if a variable is meant for the settings; wrong case counts, so that it can be refused."""
    if variable in _OTHER_VARIABLES or _SERVICE_LINK.fullmatch(variable):
        return False
    return variable.upper().startswith(ENV_PREFIX)


def _nearest(name: str, known: Mapping[str, str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return "".join(f"; the nearest is {known[it]}" for it in near)


def _typed(text: str, kind: object) -> object:
    """Return text as TOML would have it, truth values and choices in any case.

    What is no number or truth value stays text, to be refused.
    """
    if text.lower() in get_args(kind):  # of a Literal
        return text.lower()
    if kind not in (bool, int, float):
        return text
    try:
        return json.loads(text.lower() if kind is bool else text)
    except ValueError:
        return text


def _shown(value: object) -> str:
    if isinstance(value, dict | list):  # may hold anything
        return _HIDDEN
    return json.dumps(masked(value) if isinstance(value, str) else value, ensure_ascii=False, default=str)
