"""The library's errors for people: one plain line that ends with the remedy, and an exit code."""

from __future__ import annotations

from neoserve import (
    JobFailed,
    NeoServeError,
    NotEnded,
    RequestRefused,
    Unauthorized,
    UnexpectedAnswer,
    Unreachable,
)

FAILED, AWAY, REFUSED, NOT_ENDED = 1, 3, 4, 5

#: The first that fits; any other is a service that is away or says to try later.
EXIT_CODES: tuple[tuple[type[NeoServeError], int], ...] = (
    (JobFailed, FAILED),
    (NotEnded, NOT_ENDED),
    (RequestRefused, REFUSED),
    (UnexpectedAnswer, REFUSED),
)

REMEDIES: tuple[tuple[type[NeoServeError], str], ...] = (
    (Unreachable, "Start one with `neoserve up`, or name another with --url or NEOSERVE_URL."),
    (UnexpectedAnswer, "Name the right address with --url or NEOSERVE_URL."),
    (Unauthorized, "Name your key with NEOSERVE_API_KEY."),
)


def exit_code(error: NeoServeError) -> int:
    return next((code for kind, code in EXIT_CODES if isinstance(error, kind)), AWAY)


def in_words(error: NeoServeError) -> str:
    # The service's own words advise a header, which nobody can set here.
    words = "The service cannot reach its Redis." if error.code == "store_unavailable" else str(error)
    if any(each.field == "temperature" for each in error.errors):
        # Of an option; in a file of prompts the field is that of the line, and the service's word is right.
        words = words.replace("set do_sample to false", "give --greedy")
    remedy = next((remedy for kind, remedy in REMEDIES if isinstance(error, kind)), "")
    if not remedy and exit_code(error) == AWAY:
        remedy = f"Try again in {error.retry_after:g} s." if error.retry_after else "Try again later."
    return f"{words} {remedy}".rstrip()
