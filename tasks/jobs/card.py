"""What a worker tells about its model, so that the API can accept jobs without it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from tasks.jobs.errors import NoModel, OtherVersion, StoreUnavailable, UnknownModel
from tasks.jobs.record import SCHEMA_VERSION, check_schema, decode_known, to_json
from tasks.jobs.script import Scripts

WORKER_LEASE_SECONDS = 10.0


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelCard:
    model: str  #: Its name, for people.
    revision: str
    fingerprint: str  #: Of weights, configuration and tokenizer: equal ones give equal texts.
    max_positions: int  #: Prompt and generated tokens together.
    eos_token_ids: tuple[int, ...]
    generation_defaults: Mapping[str, Any]  #: Sampling parameters by their name in a request.
    tokenizer_sha256: str
    metadata: Mapping[str, Any] = field(default_factory=dict)  #: Further facts for /info; JSON.
    registered_at: float = 0.0  #: Unix seconds, set by the store: when the first of its live workers came.
    num_live_workers: int = 0  #: Set by the store.
    num_live_slots: int = 0  #: Set by the store: jobs that those workers run at a time.
    live_precisions: Mapping[str, int] = field(default_factory=dict)  #: Set by the store: and their forms.


_SET_BY_STORE = ("registered_at", "num_live_workers", "num_live_slots", "live_precisions")


class ModelCatalog:
    """The models that workers have registered. A card stays; only a worker's presence is leased."""

    def __init__(self, scripts: Scripts) -> None:
        self._scripts = scripts

    def register_model(
        self, card: ModelCard, tokenizer_json: str, worker: str, slots: int, *, precision: str = ""
    ) -> None:
        """Idempotent; a worker is alive for a lease from here on, and by its steps.

        `precision` says in which form this worker computes the model; it may differ from the others'.
        """
        values = {name: value for name, value in asdict(card).items() if name not in _SET_BY_STORE}
        values["schema"] = SCHEMA_VERSION
        lease_ms = round(WORKER_LEASE_SECONDS * 1000)
        arguments = (card.fingerprint, to_json(values), card.tokenizer_sha256, tokenizer_json)
        self._scripts.run("register", worker, slots, precision, lease_ms, *arguments)

    def retire_worker(self, worker: str) -> None:
        """The worker is gone at once instead of at the end of its lease. It must hold no job any more."""
        self._scripts.run("retire", worker)

    def models(self) -> list[ModelCard]:
        """Every card that this version can read, the one registered last first.

        Raises OtherVersion where there are only others.
        """
        cards, other = [], None
        for entry in self._scripts.run("models"):
            try:
                cards.append(_decode_card(*entry))
            except OtherVersion as error:
                other = error
        if other and not cards:
            raise other
        return cards

    def model(self, name: str | None = None) -> ModelCard:
        """See choose_card()."""
        return choose_card(self.models(), name)

    def tokenizer(self, sha256: str) -> str:
        """The tokenizer.json with that hash. Raises StoreUnavailable when the server lost it."""
        text: str | None = self._scripts.run("tokenizer", sha256)
        if text is None:
            raise StoreUnavailable(
                "The job store has lost the model's tokenizer; a worker will bring it again."
            )
        return text


def choose_card(cards: Sequence[ModelCard], name: str | None) -> ModelCard:
    """The model of that name, or for None the default one: the one registered last, live ones first.

    `cards` as from `models()`. Raises NoModel when there are none, before any worker ever registered, and
    UnknownModel for another name.
    """
    if not cards:
        raise NoModel
    named = [card for card in cards if name in (None, card.model)]
    if not named:
        raise UnknownModel(name or "")
    return next((card for card in named if card.num_live_workers), named[0])


def _decode_card(
    text: str, registered_ms: str, num_live_workers: int, num_live_slots: int, precisions: Sequence[str]
) -> ModelCard:
    values = json.loads(text)
    check_schema(values["schema"])
    values["eos_token_ids"] = tuple(values["eos_token_ids"])
    return replace(
        decode_known(ModelCard, values),
        registered_at=int(registered_ms) / 1000,
        num_live_workers=num_live_workers,
        num_live_slots=num_live_slots,
        live_precisions=Counter(precisions),
    )
