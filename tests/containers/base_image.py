"""A stand-in for the Python image that the Dockerfiles name, for where Docker's registry is out of reach.

Debian's own Python on the same release of Debian: the Dockerfiles are built on it unchanged.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import sys
from contextlib import suppress
from pathlib import Path

from .command import CommandFailed, run
from .debian import RELEASE, mirror
from .engine import ROOT, Engine

PACKAGES = ("ca-certificates", "netbase", "tzdata", "python3", "python3-venv", "python-is-python3")

#: Those whom this machine trusts beyond Debian's list: its package indexes may answer under one of them.
CERTIFICATES = Path("/usr/local/share/ca-certificates")

#: As Docker's images of Debian have it: apt keeps nothing for later, which would only be in the layers.
APT = """\
Dir::Cache::pkgcache "";
Dir::Cache::srcpkgcache "";
APT::Keep-Downloaded-Packages "false";
DPkg::Post-Invoke { "rm -f /var/cache/apt/archives/*.deb /var/cache/apt/archives/partial/*.deb || true"; };
"""

DOCKERFILE = """\
FROM {debian}
COPY apt.conf /etc/apt/apt.conf.d/docker-clean
COPY certificates/ /usr/local/share/ca-certificates/
RUN update-ca-certificates
COPY wheels/ /wheels/
ENV PIP_CERT=/etc/ssl/certs/ca-certificates.crt PIP_FIND_LINKS=/wheels
CMD ["python3"]
"""


def base_name() -> str:
    """As both Dockerfiles name it by default."""
    found = {
        re.search(r"^ARG PYTHON_IMAGE=(\S+)$", file.read_text(), re.M) for file in ROOT.glob("Dockerfile.*")
    }
    [name] = {match[1] for match in found if match}
    return name


def debian(engine: Engine, folder: Path) -> str:
    """Name of an image of a small Debian with its Python."""
    key = hashlib.sha256(repr((RELEASE, PACKAGES)).encode()).hexdigest()[:12]
    name = f"neoserve-tests/{RELEASE}:{key}"
    if not engine.has_image(name):
        archive = folder / "debian.tar"
        options = ("--variant=minbase", f"--include={','.join(PACKAGES)}")
        run("mmdebstrap", "--quiet", *options, RELEASE, str(archive), mirror(), timeout=300)
        engine.docker("import", str(archive), name, timeout=120)
        archive.unlink()
    return name


def build_base(engine: Engine, folder: Path) -> None:
    """The stand-in, under the name that the Dockerfiles use. Fetches what it needs."""
    context = folder / "base"
    shutil.rmtree(context / "certificates", ignore_errors=True)
    (context / "certificates").mkdir(parents=True)
    for certificate in CERTIFICATES.glob("*.crt"):
        shutil.copy(certificate, context / "certificates")
    _find_torch(context / "wheels")
    (context / "apt.conf").write_text(APT)
    (context / "Dockerfile").write_text(DOCKERFILE.format(debian=debian(engine, folder)))
    engine.build(base_name(), context / "Dockerfile", context=context)


def _find_torch(folder: Path) -> None:
    """The wheel of torch, if pip finds it on this machine; else the build fetches it from its own index."""
    [version] = set(re.findall(r"torch==([\d.]+)", (ROOT / "Dockerfile.worker").read_text()))
    folder.mkdir(exist_ok=True)
    if not list(folder.glob(f"torch-{version}[+-]*")):
        options = ("--quiet", "--no-index", "--no-deps", "--only-binary=:all:", "--python-version=3.11")
        command = (sys.executable, "-m", "pip", "download", *options, f"--dest={folder}", f"torch=={version}")
        with suppress(CommandFailed):
            run(*command, timeout=120)
