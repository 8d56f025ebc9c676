"""The service as a whole."""

from __future__ import annotations

from neoserve import requests
from neoserve.effects import Flow
from neoserve.exchange import ask_for
from neoserve.fleet import Health, Info
from neoserve.patience import Patience, Persistence


def health(persistence: Persistence) -> Flow[Health]:
    return (yield from ask_for(Health.read, requests.get("/health"), Patience(persistence)))


def info(persistence: Persistence) -> Flow[Info]:
    return (yield from ask_for(Info.read, requests.get("/info"), Patience(persistence)))
