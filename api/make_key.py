"""`python -m api.make_key NAME FILE`: writes a new key for NAME into FILE, in place of others, and prints it.

For a container that has nothing but the API. Everywhere else `neoserve keys add` does more.
"""

from __future__ import annotations

import sys
from pathlib import Path

from api.key_entry import new_key


def make_key(name: str, file: Path) -> str:
    """Raises ValueError for a name that cannot be used, and OSError."""
    key, entry = new_key(name)
    file.write_text(f"{entry.line()}\n", encoding="utf-8")
    return key


if __name__ == "__main__":
    sys.stdout.write(f"{make_key(sys.argv[1], Path(sys.argv[2]))}\n")
