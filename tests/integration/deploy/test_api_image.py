"""What the API's image holds, run from a folder of its own."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from tests.unit.deploy.files import ROOT, copied

#: Runs in a process that finds the image's files before this checkout's.
PROGRAM = """
import sys
sys.path.insert(0, {tree!r})
import fakeredis
import api.app, api.gunicorn_conf
from api.settings import ApiSettings
from tasks.jobs.listener import JobListener
from tasks.jobs.ring import RecordingRing
from tasks.jobs.store import JobStore
assert api.app.__file__.startswith({tree!r})
settings = ApiSettings()
store = JobStore(fakeredis.FakeRedis(decode_responses=True))
listener = JobListener(settings.redis_url, settings.namespace)
app = api.app.create_app(settings, store=store, ring=RecordingRing(), listener=listener)
for path in ("/healthz", "/readyz", "/info", "/metrics"):
    assert app.test_client().get(path).status_code == 200, path
page = app.test_client().get("/", headers={{"Accept": "text/html"}}).text
[script] = [line.split('"')[3] for line in page.splitlines() if "<script" in line]
assert app.test_client().get(script).status_code == 200
assert not {{"torch", "transformers"}} & set(sys.modules)
"""


def test_the_api_image_holds_all_that_the_api_imports_and_no_more(tmp_path: Path) -> None:
    for source, target in copied("api"):
        if (ROOT / source).is_dir():
            shutil.copytree(ROOT / source, tmp_path / target)
        else:
            (tmp_path / target).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / source, tmp_path / target)
    program = PROGRAM.format(tree=str(tmp_path))
    done = subprocess.run([sys.executable, "-I", "-c", program], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert {path.name for path in (tmp_path / "tasks").iterdir()} - {"__pycache__"} == {"__init__.py", "jobs"}
