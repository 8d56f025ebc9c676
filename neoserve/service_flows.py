"""The service as a whole."""

from __future__ import annotations

from neoserve import requests
from neoserve.effects import Flow
from neoserve.exchange import ask
from neoserve.fleet import Health, Info
from neoserve.patience import Patience, Persistence


def health(persistence: Persistence) -> Flow[Health]:
    return Health.read((yield from ask(requests.get("/health"), Patience(persistence))))


def info(persistence: Persistence) -> Flow[Info]:
    return Info.read((yield from ask(requests.get("/info"), Patience(persistence))))
