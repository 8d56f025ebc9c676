"""A real GPT-Neo behind the whole worker: random weights, so that no download is needed."""

from __future__ import annotations

from pathlib import Path

from tests.factories import make_new_job, make_parameters
from tests.integration.worker.processes import Fleet
from tests.models import build_random_model


def test_a_model_from_a_folder_is_registered_and_a_seed_gives_its_text_in_any_company(
    fleet: Fleet, tmp_path: Path
) -> None:
    folder = build_random_model(tmp_path / "tiny-random", "tiny")
    worker = fleet.start_ready(NEOSERVE_MODEL=str(folder), NEOSERVE_THREADS="1")
    card = fleet.store.model()
    assert (card.model, card.max_positions) == ("tiny-random", 2048)
    assert "threads=1" in worker.err
    sampled = make_parameters(max_new_tokens=30, do_sample=True, temperature=0.8, top_k=0)

    def submit(id: str, text: str) -> None:
        job = make_new_job(id, fingerprint=card.fingerprint, parameters=sampled, text=text)
        fleet.store.submit(job, max_queued=100)
        fleet.ring.ring(id)

    submit("alone", "Once upon a time")
    alone = fleet.wait_status("alone", "succeeded")
    for number in range(6):
        submit(f"other-{number}", "Something else " * number + "entirely")
    submit("together", "Once upon a time")
    together = fleet.wait_status("together", "succeeded")
    assert together.rows == alone.rows
    assert len({fleet.wait_status(f"other-{number}", "succeeded").rows for number in range(6)}) == 6
