"""What the API process reads from the environment."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from api.key_entry import KeyEntry, parse_entries
from api.rate import Rate, parse_rate
from api.webhooks.receivers import Receivers
from api.webhooks.settings import parse_receivers, parse_secrets
from tasks.jobs.parse import parse_number, parse_port, parse_switch, parse_whole
from tasks.jobs.settings import Settings, setting

#: The longest a call may wait for its job, in seconds; proxies commonly cut a silent request after 60.
MAX_WAIT_SECONDS = 60.0


def parse_count(text: str) -> int:
    return parse_whole(text, 1, 2**31)


def parse_any_count(text: str) -> int:
    return parse_whole(text, 0, 2**31)


def parse_limit(text: str) -> float:
    return parse_number(text, 1, 3600)


def parse_wait(text: str) -> float:
    return parse_number(text, 0, MAX_WAIT_SECONDS)


def parse_queue_full_status(text: str) -> int:
    if text not in ("429", "503"):
        raise ValueError("expected 429 or 503")
    return int(text)


def parse_origins(text: str) -> tuple[str, ...]:
    origins = tuple(text.replace(",", " ").split())
    for each in origins:
        parts = urlsplit(each)
        whole = f"{parts.scheme}://{parts.netloc}"
        if each != "*" and (parts.scheme not in ("http", "https") or not parts.netloc or each != whole):
            raise ValueError("expected origins such as https://app.example.com, or *")
    return origins


@dataclass(frozen=True, kw_only=True)
class ApiSettings(Settings):
    """Settings of one API process."""

    host: str = setting("NEOSERVE_HOST", "127.0.0.1", "Address the API listens on.")
    port: int = setting("NEOSERVE_PORT", 8080, "Port the API listens on; 0 picks a free one.", parse_port)
    metrics_port: int = setting(
        "NEOSERVE_METRICS_PORT",
        9100,
        "Second port of the API that serves /metrics alone, so that it need not be public; 0 turns it off.",
        parse_port,
    )
    api_keys: tuple[KeyEntry, ...] = setting(
        "NEOSERVE_API_KEYS",
        (),
        "Keys that may use the API: entries `NAME sha256:HASH` with commas between them, as "
        "`neoserve keys add` makes them.",
        parse_entries,
        secret=True,
    )
    api_keys_file: str = setting(
        "NEOSERVE_API_KEYS_FILE",
        "",
        "File of such entries, one in a line, read again when it changes; `neoserve keys` writes it.",
    )
    insecure: bool = setting(
        "NEOSERVE_INSECURE",
        False,
        "1: listen on other addresses than this machine's own without any API key.",
        parse_switch,
    )
    rate_limit: Rate | None = setting(
        "NEOSERVE_RATE_LIMIT",
        None,
        "How often each API key may submit: 60/minute, 5/10 seconds; a batch counts once.",
        parse_rate,
    )
    max_jobs_per_key: int = setting(
        "NEOSERVE_MAX_JOBS_PER_KEY",
        0,
        "Jobs of each API key that may be unfinished at the same time, batches not counted; 0 is no limit.",
        parse_any_count,
    )
    cors_origins: tuple[str, ...] = setting(
        "NEOSERVE_CORS_ORIGINS",
        (),
        "Origins whose pages may call the API from a browser, with spaces between them; * is all.",
        parse_origins,
    )
    sync_wait_seconds: float = setting(
        "NEOSERVE_SYNC_WAIT_SECONDS",
        30.0,
        "How long POST /predict waits for its job when the client does not say (limit 60).",
        parse_wait,
    )
    max_waiters: int = setting(
        "NEOSERVE_MAX_WAITERS",
        1000,
        "Calls that may wait and streams that may be open at the same time in one API process; one more call "
        "is answered 202 at once, one more stream 503.",
        parse_count,
    )
    max_queued: int = setting(
        "NEOSERVE_MAX_QUEUED", 10000, "Jobs that may be queued; one more is refused.", parse_count
    )
    queue_full_status: int = setting(
        "NEOSERVE_QUEUE_FULL_STATUS",
        429,
        "Status of that refusal: 429, or 503 for clients and proxies that try again only then.",
        parse_queue_full_status,
    )
    max_body_bytes: int = setting(
        "NEOSERVE_MAX_BODY_BYTES", 262144, "Largest request body in bytes; beyond it 413.", parse_count
    )
    max_batch_items: int = setting(
        "NEOSERVE_MAX_BATCH_ITEMS",
        50000,
        "Items of all batches together that have not ended; a batch that goes beyond it is refused with 429.",
        parse_count,
    )
    max_batch_bytes: int = setting(
        "NEOSERVE_MAX_BATCH_BYTES",
        33554432,
        "Largest body of a batch in JSON lines; one in JSON may have up to 4 MiB of it.",
        parse_count,
    )
    max_prompt_chars: int = setting(
        "NEOSERVE_MAX_PROMPT_CHARS",
        65536,
        "Longest prompt in characters; a longer one is refused before it is tokenized.",
        parse_count,
    )
    durable_submit: bool = setting(
        "NEOSERVE_DURABLE_SUBMIT",
        False,
        "1: a submit is answered when its job is on the server's disk. Needs an append-only file, and Valkey "
        "or Redis 7.2.",
        parse_switch,
    )
    webhook_secrets: tuple[bytes, ...] = setting(
        "NEOSERVE_WEBHOOK_SECRET",
        (),
        "What webhooks are signed with: `whsec_` and 24 to 64 random bytes in base64; several, with a space "
        "between, sign all. Empty: there are no webhooks.",
        parse_secrets,
        secret=True,
    )
    webhook_allow: Receivers = setting(
        "NEOSERVE_WEBHOOK_ALLOW",
        Receivers(),
        "Private networks (`10.0.0.0/8`) and names of hosts that webhooks may lead to, with a space between; "
        "without TLS, too, where the URL has such a name or address.",
        parse_receivers,
    )
    header_seconds: float = setting(
        "NEOSERVE_HEADER_SECONDS",
        10.0,
        "How long the headers of a request may take from their first byte on, and a new connection until its "
        "first byte.",
        parse_limit,
    )
    body_seconds: float = setting(
        "NEOSERVE_BODY_SECONDS",
        30.0,
        "How long the body of a request may take as a whole, and its client to receive the answer.",
        parse_limit,
    )
