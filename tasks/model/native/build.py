"""Compile the native kernels beside their sources: `python -m tasks.model.native.build`.

Needs a C++ compiler on Linux and an x86 processor; everything works without them, through torch, more slowly.
The library holds kernels for several generations of processors and chooses among them when it is loaded, so
it can be built on another machine than the one it runs on.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tasks.model.native.library import FOLDER, PATH, TRAILER, applicable, sources

COMMON = ("-O3", "-std=c++17", "-fPIC", "-fopenmp", "-Wall", "-Wextra", "-Wno-maybe-uninitialized")
AVX2 = ("-mavx2", "-mfma", "-mf16c")
AVX512 = (*AVX2, "-mavx512f", "-mavx512bw", "-mavx512dq", "-mavx512vl")
#: Each source with the instructions that it may use.
UNITS = {
    "library": (),
    "avx2": AVX2,
    "avx512": AVX512,
    "amx": (*AVX512, "-mavx512bf16", "-mamx-tile", "-mamx-bf16"),
}


def build(compiler: str, target: Path) -> None:
    """Write the library to `target`. Raises subprocess.CalledProcessError where the compiler fails."""
    stamp = f'-DSOURCES="{sources()}"'
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        jobs = [
            subprocess.Popen(
                [compiler, *COMMON, stamp, *flags, "-c", FOLDER / f"{name}.cpp", "-o", f"{folder}/{name}.o"]
            )
            for name, flags in UNITS.items()
        ]
        for job, code in [(job, job.wait()) for job in jobs]:
            if code:
                raise subprocess.CalledProcessError(code, job.args)
        library = f"{folder}/{target.name}"
        objects = [f"{folder}/{name}.o" for name in UNITS]
        subprocess.run([compiler, "-shared", "-fopenmp", *objects, "-o", library], check=True)
        with open(library, "ab") as file:
            file.write(TRAILER)
            file.flush()
            # A machine that fails now shall not keep the name without the content.
            os.fsync(file.fileno())
        # At once, for those who are just loading it.
        os.replace(library, target)


def main() -> int:
    compiler = os.environ.get("CXX") or shutil.which("c++") or shutil.which("g++")
    if not applicable():
        print("native kernels: this platform has none; torch's operators do the work")
    elif compiler is None:
        print("native kernels: no C++ compiler (c++) was found; torch's operators do the work, more slowly")
    else:
        try:
            build(compiler, PATH)
        except (OSError, subprocess.CalledProcessError) as error:
            print(
                f"native kernels: {compiler} failed, torch's operators do the work: {error}", file=sys.stderr
            )
            return 1
        print(f"native kernels: built {PATH.name} with {compiler}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
