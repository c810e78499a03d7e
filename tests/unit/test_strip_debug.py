"""What is cut off from the image's shared libraries."""

from __future__ import annotations

import runpy
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / ".ci" / "strip_debug.py"
stripped = runpy.run_path(str(SCRIPT))["stripped"]


def library() -> Path:
    """Return a shared library that is there wherever the tests run."""
    spec = find_spec("sqlalchemy.engine._result_cy")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin)


def test_a_library_is_shorter_afterwards_and_loads_as_before(tmp_path: Path) -> None:
    copy = tmp_path / library().name
    copy.write_bytes(library().read_bytes())

    subprocess.run([sys.executable, SCRIPT, tmp_path], check=True)

    assert copy.stat().st_size < library().stat().st_size
    load = "import ctypes, sys; ctypes.CDLL(sys.argv[1]).PyInit__result_cy"
    subprocess.run([sys.executable, "-c", load, copy], check=True)


def test_what_is_no_library_stays_as_it_is() -> None:
    for text in (b"", b"#!/bin/sh", b"\x7fELF\x01\x01"):  # a script, a 32-bit library
        assert stripped(text) == text


def test_stripping_twice_changes_nothing_more() -> None:
    once = stripped(library().read_bytes())

    assert stripped(once) == once
