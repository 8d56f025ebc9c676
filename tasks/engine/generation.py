"""What the submitter of a request holds."""

from __future__ import annotations

import threading

from tasks.engine.types import FinishReason, GenerationRequest


class Generation:
    """One request on its way through the engine, readable from any thread at any time.

    Only the engine thread writes, one attribute at a time and `done` last: whoever saw `done` sees
    everything. Times are those of the engine's clock, None until they happen.
    """

    def __init__(self, request: GenerationRequest, submitted_at: float) -> None:
        self.request = request
        self.submitted_at = submitted_at
        self.started_at: float | None = None  #: It got a slot.
        self.first_token_at: float | None = None
        self.finished_at: float | None = None
        self.text = ""  #: The continuation so far: whole characters, nothing that may begin a stop string.
        self.num_tokens = 0  #: Sampled so far; an EOS counts, though it has no text.
        self.finish_reason: FinishReason | None = None
        self.error: Exception | None = None
        self.cancel_requested = False
        self._ended = threading.Event()

    @property
    def done(self) -> bool:
        return self._ended.is_set()

    def cancel(self) -> None:
        """Ask for the end; it comes with the next step. Without effect on a generation that is done."""
        self.cancel_requested = True

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until it is done, at most `timeout` seconds; whether it is."""
        return self._ended.wait(timeout)

    # What follows is for the engine thread alone.

    def start(self, now: float) -> None:
        self.started_at = now

    def advance(self, text: str, now: float) -> None:
        """One more token was sampled and `text` became certain."""
        if self.first_token_at is None:
            self.first_token_at = now
        self.text += text
        self.num_tokens += 1

    def finish(self, reason: FinishReason, text: str, now: float) -> None:
        """End with a text, of which `text` is the last part."""
        self.text += text
        self.finish_reason = reason
        self._end(now)

    def fail(self, error: Exception, now: float) -> None:
        """End with an error; the text so far stays readable."""
        self.error = error
        self._end(now)

    def _end(self, now: float) -> None:
        if self.done:
            raise RuntimeError("a generation ends only once")
        self.finished_at = now
        self._ended.set()
