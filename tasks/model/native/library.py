"""The native kernels as Python calls them."""

from __future__ import annotations

import ctypes
import hashlib
import logging
import platform
import sys
from ctypes import POINTER, c_bool, c_char_p, c_int, c_long, c_void_p
from enum import IntEnum
from functools import cache
from pathlib import Path

from tasks.model.native.structures import Attention, Pass, Product

logger = logging.getLogger(__name__)

FOLDER = Path(__file__).parent
PATH = FOLDER / "libneoserve.so"
#: What a build appends. To load a library that was cut off ends the process.
TRAILER = b"neoserve: complete\n"


class Level(IntEnum):
    """Generations of processors, each with kernels of its own; a processor runs those below its own, too."""

    NONE = 0
    AVX2 = 1
    AVX512 = 2
    AMX = 3


def applicable() -> bool:
    """Whether there are kernels for this platform at all."""
    return sys.platform == "linux" and platform.machine() == "x86_64"


def sources() -> str:
    """A name for the state of the sources beside this file."""
    content = hashlib.sha256()
    for file in sorted(FOLDER.glob("*.cpp")) + sorted(FOLDER.glob("*.h")):
        content.update(file.read_bytes())
    return content.hexdigest()


def is_complete(path: Path) -> bool:
    """Whether the file ends as a build ended it. Raises OSError where it cannot be read."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - len(TRAILER)))
        return file.read() == TRAILER


@cache
def load(path: Path = PATH) -> ctypes.CDLL | None:
    """None where the library was not built, or cannot be loaded. torch has been imported: its threads are
    the library's, too."""
    if not applicable() or not path.exists():
        return None
    try:
        if not is_complete(path):
            raise OSError("it is incomplete, build it again: python -m tasks.model.native.build")
        library = ctypes.CDLL(str(path))
        library.neoserve_sources.restype = c_char_p
        built_from = library.neoserve_sources().decode()
    except (OSError, AttributeError) as error:
        logger.warning("the native kernels in %s cannot be loaded: %s", path, error)
        return None
    if built_from != sources():
        logger.warning("the native kernels in %s are out of date: python -m tasks.model.native.build", path)
        return None
    library.neoserve_level.restype = c_int
    library.neoserve_use_large_pages.argtypes = (c_void_p, c_long)
    library.neoserve_use_large_pages.restype = None
    library.neoserve_multiply.argtypes = (c_int, POINTER(Product), c_bool)
    library.neoserve_multiply.restype = None
    library.neoserve_attend.argtypes = (c_int, POINTER(Attention), c_bool)
    library.neoserve_attend.restype = None
    library.neoserve_run.argtypes = (c_int, POINTER(Pass))
    library.neoserve_run.restype = None
    library.neoserve_largest.argtypes = (c_int, c_void_p, c_long, c_long, c_long, c_void_p, c_void_p, c_int)
    library.neoserve_largest.restype = None
    return library


@cache
def best_level() -> Level:
    """What this processor and the library have in common."""
    library = load()
    return Level.NONE if library is None else Level(library.neoserve_level())


def kernels(level: Level | None = None) -> tuple[ctypes.CDLL, Level]:
    """The library, and the best level or the one that is asked for. Raises RuntimeError where this processor
    does not have it."""
    library, best = load(), best_level()
    if library is None or best is Level.NONE or (level or best) > best:
        raise RuntimeError("the native kernels are not built, or not for this processor")
    return library, level or best
