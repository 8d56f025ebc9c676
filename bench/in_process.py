"""The engine of a worker without the worker, for comparison."""

from __future__ import annotations

import json
import shutil
import threading
import time
from pathlib import Path

from tasks.engine.engine import Engine
from tasks.engine.loop import EngineThread
from tasks.engine.scheduler import Scheduler
from tasks.engine.types import GenerationRequest
from tasks.worker.model_names import is_scripted
from tasks.worker.served_model import ServedModel
from tests.models import build_random_model

Times = tuple[float, float]


def model_without_end(name: str, folder: Path) -> str:
    """A copy of the model that names no end token, in `folder`: every text gets all its tokens."""
    if is_scripted(name):
        return name
    if name == "125m":
        build_random_model(folder, "125m")
    else:
        shutil.copytree(name, folder)
    path = folder / "generation_config.json"
    generation = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps(generation | {"eos_token_id": None}))
    return str(folder)


class InProcess:
    """The engine and its thread, as the worker builds them, and clients that are threads."""

    def __init__(self, model: ServedModel, slots: int) -> None:
        self._model = model
        runner = model.new_runner(slots, 0, 0)
        self._engine = EngineThread(Engine(runner, Scheduler(num_slots=slots), model.new_detokenizer))
        self._engine.start()

    def predict(self, texts: list[list[str]], new_tokens: int) -> list[Times]:
        """One client for each list of texts, all at once; when each request was sent and when it was done."""
        times: list[Times] = []
        clients = [threading.Thread(target=self._client, args=(each, new_tokens, times)) for each in texts]
        for client in clients:
            client.start()
        for client in clients:
            client.join()
        return times

    def stop(self) -> None:
        self._engine.stop()

    def _client(self, texts: list[str], new_tokens: int, times: list[Times]) -> None:
        for text in texts:
            sent = time.monotonic()
            request = GenerationRequest(
                request_id="bench", prompt_ids=self._model.encode(text), max_new_tokens=new_tokens
            )
            generation = self._engine.submit(request)
            generation.wait()
            times.append((sent, time.monotonic()))
            assert generation.num_tokens == new_tokens, generation.error
