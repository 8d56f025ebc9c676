"""What the library offers to send is what the service takes."""

from __future__ import annotations

from typing import Any, get_args, get_type_hints

import pytest

from api.batch_request import BatchItemRequest, BatchOptions
from api.request import PredictRequest
from neoserve.fields import BatchFields, Generation, JobFields


def test_every_field_of_a_request_can_be_given() -> None:
    assert get_type_hints(JobFields).keys() | {"text"} == PredictRequest.model_fields.keys()


def test_every_option_of_a_batch_can_be_given() -> None:
    assert get_type_hints(BatchFields).keys() == BatchOptions.model_fields.keys()


def test_the_defaults_of_a_batch_are_what_its_items_take() -> None:
    of_the_batch = get_type_hints(JobFields).keys() - get_type_hints(Generation).keys()
    assert BatchItemRequest.model_fields.keys() - get_type_hints(Generation).keys() - of_the_batch == {
        "text",
        "custom_id",
    }


def leaves(annotation: Any) -> set[Any]:
    """The types that a value may have, whatever it is wrapped in."""
    return set().union(*map(leaves, get_args(annotation))) if get_args(annotation) else {annotation}


@pytest.mark.parametrize(("name", "kind"), get_type_hints(JobFields).items())
def test_a_number_is_whole_in_both_or_in_neither(name: str, kind: type) -> None:
    """The service refuses 60.0 where it takes 60."""
    theirs = leaves(PredictRequest.model_fields[name].annotation)
    assert (kind is int, kind is float) == (int in theirs, float in theirs)
