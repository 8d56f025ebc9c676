"""How old a model's card may be."""

from __future__ import annotations

import pytest

from api.recent_cards import MAX_AGE_SECONDS, RecentCards
from tasks.jobs.card import ModelCard
from tasks.jobs.errors import NoModel, StoreUnavailable, UnknownModel
from tests.factories import make_card


class Catalog:
    """Holds `cards`, and counts how often it is asked."""

    def __init__(self, *cards: ModelCard) -> None:
        self.cards = list(cards)
        self.num_calls = 0
        self.now = 0.0

    def models(self) -> list[ModelCard]:
        self.num_calls += 1
        return list(self.cards)

    def clock(self) -> float:
        return self.now


def test_many_requests_ask_the_store_once() -> None:
    catalog = Catalog(make_card("one"))
    cards = RecentCards(catalog.models, catalog.clock)
    assert {cards.choose(name).model for name in (None, "one", None)} == {"one"}
    assert catalog.num_calls == 1


def test_a_new_default_is_noticed_when_the_list_is_too_old() -> None:
    catalog = Catalog(make_card("one"))
    cards = RecentCards(catalog.models, catalog.clock)
    cards.choose(None)
    catalog.cards.insert(0, make_card("two"))
    catalog.now = MAX_AGE_SECONDS
    assert cards.choose(None).model == "one"
    catalog.now = MAX_AGE_SECONDS + 0.001
    assert cards.choose(None).model == "two"


def test_a_model_that_the_list_lacks_is_looked_up_at_once() -> None:
    catalog = Catalog(make_card("one"))
    cards = RecentCards(catalog.models, catalog.clock)
    with pytest.raises(UnknownModel):
        cards.choose("two")
    catalog.cards.append(make_card("two"))
    assert cards.choose("two").model == "two"


def test_that_there_is_no_model_is_not_remembered() -> None:
    catalog = Catalog()
    cards = RecentCards(catalog.models, catalog.clock)
    with pytest.raises(NoModel):
        cards.choose(None)
    catalog.cards.append(make_card("one"))
    assert cards.choose(None).model == "one"


def test_a_store_that_is_away_is_not_answered_for_with_an_old_list() -> None:
    catalog = Catalog(make_card("one"))
    away = False

    def models() -> list[ModelCard]:
        if away:
            raise StoreUnavailable
        return catalog.models()

    cards = RecentCards(models, catalog.clock)
    cards.choose(None)
    away, catalog.now = True, MAX_AGE_SECONDS + 0.001
    with pytest.raises(StoreUnavailable):
        cards.choose(None)
