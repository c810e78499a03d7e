"""Cut off what no loader reads from shared libraries: debug information, symbol tables, section headers.

    python .ci/strip_debug.py FOLDER

SQLAlchemy's wheel, for one, holds 8 MB of it. `strip` would do, but the base image has none. Only program headers
count when a library is loaded (System V ABI, chapter 5): what lies behind the last segment that they load goes.
"""

from __future__ import annotations

import struct
import sys
from pathlib import Path

_LOAD = 1  # p_type of a segment that is mapped into memory


def stripped(library: bytes) -> bytes:
    """Return a 64-bit little-endian ELF file without what is not loaded; any other file as it is."""
    if library[:6] != b"\x7fELF\x02\x01":
        return library
    (first,) = struct.unpack_from("<Q", library, 0x20)  # e_phoff
    size, count = struct.unpack_from("<HH", library, 0x36)  # e_phentsize, e_phnum
    headers = (struct.unpack_from("<IIQQQQ", library, first + size * index) for index in range(count))
    loaded = [offset + length for kind, _, offset, _, _, length in headers if kind == _LOAD]
    kept = bytearray(library[: max([*loaded, first + size * count])])
    struct.pack_into("<Q", kept, 0x28, 0)  # e_shoff: there are no section headers
    struct.pack_into("<HH", kept, 0x3C, 0, 0)  # e_shnum, e_shstrndx
    return bytes(kept)


def main() -> None:
    """Strip every shared library below the folder that the command line names."""
    for path in Path(sys.argv[1]).rglob("*.so*"):
        before = path.read_bytes()
        after = stripped(before)
        if len(after) < len(before):
            path.write_bytes(after)


if __name__ == "__main__":
    main()
