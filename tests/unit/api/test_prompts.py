"""Prompts against the tokenizer of the model's card."""

from __future__ import annotations

import dataclasses
from concurrent.futures import ThreadPoolExecutor

import pytest
from flask import Flask
from flask.testing import FlaskClient
from tokenizers import Tokenizer, normalizers

from api.app import create_app
from api.settings import ApiSettings
from api.token_counter import TokenCounter
from tasks.jobs.ring import RecordingRing
from tasks.jobs.store import JobStore
from tests.factories import make_card
from tests.unit.api.fakes import (
    MAX_POSITIONS,
    LocalListener,
    count_tokens,
    register_test_model,
    tokenizer_json,
)


@pytest.mark.parametrize("text", ["a", " ", "\n", "Grüße 🦉", "a\u200db", "x" * 200, "\ufffd", "\x7f\x01"])
def test_any_text_that_fits_is_taken_and_counted(client: FlaskClient, store: JobStore, text: str) -> None:
    answer = client.post("/jobs", json={"text": text})

    assert answer.status_code == 202
    job = store.get(answer.json["id"])  # type: ignore[index]
    assert job.text == text
    assert job.num_prompt_tokens == count_tokens(text)


def test_a_tokenizer_file_that_cuts_does_not_hide_a_long_prompt(client: FlaskClient) -> None:
    text = "z" * MAX_POSITIONS

    answer = client.post("/jobs", json={"text": text})

    assert answer.status_code == 422
    assert answer.json is not None
    assert answer.json["code"] == "prompt_too_long"
    assert f"{count_tokens(text)} tokens" in answer.json["detail"]
    assert str(MAX_POSITIONS) in answer.json["detail"]


def test_a_text_without_a_single_token_is_refused(bare_app: Flask, store: JobStore) -> None:
    stripping = Tokenizer.from_str(tokenizer_json())
    stripping.normalizer = normalizers.Strip()
    register_test_model(store, tokenizer=stripping.to_str())

    answer = bare_app.test_client().post("/jobs", json={"text": "  "})

    assert answer.status_code == 422
    assert answer.json is not None
    assert answer.json["errors"][0]["field"] == "text"


def test_too_many_characters_are_refused_before_they_are_tokenized(
    settings: ApiSettings, store: JobStore, ring: RecordingRing, listener: LocalListener
) -> None:
    register_test_model(store)
    strict = dataclasses.replace(settings, max_prompt_chars=10)
    client = create_app(strict, store=store, ring=ring, listener=listener).test_client()

    answer = client.post("/jobs", json={"text": "x" * 11})

    assert client.post("/jobs", json={"text": "x" * 10}).status_code == 202
    assert answer.status_code == 422
    assert answer.json is not None
    assert answer.json["code"] == "prompt_too_long"
    assert answer.json["errors"] == [
        {"field": "text", "message": "must have at most 10 characters (given: 11 characters)"}
    ]


def test_a_tokenizer_is_fetched_once_and_serves_many_threads() -> None:
    fetched: list[str] = []

    def fetch(sha256: str) -> str:
        fetched.append(sha256)
        return tokenizer_json()

    counter = TokenCounter(fetch)
    counter.count(make_card(), "warm")
    texts = [f"Once upon a time {i} " * 20 for i in range(200)]
    with ThreadPoolExecutor(16) as pool:
        counts = list(pool.map(lambda text: counter.count(make_card(), text), texts))

    assert counts == [count_tokens(text) for text in texts]
    assert fetched == [make_card().tokenizer_sha256]
