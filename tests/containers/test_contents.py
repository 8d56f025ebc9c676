"""What is in the two images, and what is not."""

from __future__ import annotations

import pytest

from tests.unit.deploy.files import version

from .base_image import base_name
from .engine import Engine
from .repository import files

both = pytest.mark.parametrize("part", ["api", "worker"])


def inside(engine: Engine, image: str, script: str) -> list[str]:
    """What a shell in the image writes, as root, who sees everything."""
    options = ("--rm", "--network", "none", "--user", "0", "--entrypoint", "bash")
    return engine.docker("run", *options, image, "-c", script).split()


@both
def test_the_code_is_that_of_the_repository_with_nothing_beside_it(
    engine: Engine, images: dict[str, str], part: str
) -> None:
    found = set(inside(engine, images[part], "cd /app && find * -type f ! -name '*.pyc'"))
    ours = {"api": ("api", "tasks/jobs", "tasks/__init__.py"), "worker": ("tasks",)}[part]
    compiled = {"tasks/model/native/libneoserve.so"} if part == "worker" else set()
    assert found == files(*ours) | compiled


@both
def test_the_code_is_compiled(engine: Engine, images: dict[str, str], part: str) -> None:
    """Every start would do it again, where nothing can be written."""
    sources, compiled = (
        set(
            inside(
                engine, images[part], f"cd /app && find * -name '*{ending}' -exec basename -s {ending} {{}} +"
            )
        )
        for ending in (".py", ".cpython-311.pyc")
    )
    assert sources == compiled != set()


@both
def test_nothing_was_left_by_building_it(engine: Engine, images: dict[str, str], part: str) -> None:
    names = "-name .git -o -name .env -o -name 'pip.conf' -o -name .netrc -o -name 'id_*' -path '*/.ssh/*'"
    places = "/tmp /var/tmp /root/.cache /var/lib/apt/lists /var/cache/apt/archives/*.deb /requirements"
    script = f"find / -xdev \\( {names} \\); find {places} -type f 2>/dev/null; command -v gcc g++ || true"
    assert inside(engine, images[part], script) == []


@both
def test_nothing_in_it_installs_packages(engine: Engine, images: dict[str, str], part: str) -> None:
    script = "ls /opt/venv/bin | grep pip; ls -d /opt/venv/lib/*/site-packages/pip*; true"
    assert inside(engine, images[part], f"{script} 2>/dev/null") == []


def test_the_api_has_no_torch(engine: Engine, images: dict[str, str]) -> None:
    found = inside(engine, images["api"], "find / -xdev -iname 'torch*' -o -xdev -iname 'transformers*'")
    assert [each for each in found if not each.startswith("/wheels/")] == []


@both
def test_its_labels_tell_where_it_comes_from(engine: Engine, images: dict[str, str], part: str) -> None:
    labels = engine.inspect(images[part])["Config"]["Labels"]
    assert labels["org.opencontainers.image.version"] == version()
    assert labels["org.opencontainers.image.licenses"] == "Apache-2.0"
    assert {"org.opencontainers.image.revision", "org.opencontainers.image.source"} <= set(labels)


@both
def test_a_change_of_code_makes_small_layers_new(engine: Engine, images: dict[str, str], part: str) -> None:
    """And the sizes are told."""
    image, base = engine.inspect(images[part]), engine.inspect(base_name())
    assert image["RootFS"]["Layers"][: len(base["RootFS"]["Layers"])] == base["RootFS"]["Layers"]
    lines = engine.docker("history", "--human=false", "--format", "{{.Size}} {{.CreatedBy}}", images[part])
    layers = [line.split(" ", 1) for line in lines.splitlines()]
    [code] = [int(size) for size, made_by in layers if "COPY /app /app" in made_by]
    assert code < 5_000_000
    ours = (image["Size"] - base["Size"]) / 1e6
    engine.figures.append(f"{part} image: {ours:.0f} MB beyond its base, code {code / 1e6:.1f} MB")
