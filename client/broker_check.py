"""Whether REDIS_URL names a server that can be used, asked before anything is started."""

from __future__ import annotations

from client.errors import StartFailed


def require_store(url: str) -> str:
    """The URL without its password. Raises StartFailed, without it, when there is no usable server."""
    # Imported here: the client alone is installed without redis.
    from tasks.jobs.connection import connect, redact
    from tasks.jobs.errors import StoreUnavailable
    from tasks.jobs.store import JobStore

    remedy = "Check REDIS_URL and that the server runs, or unset it to use the embedded server."
    try:
        JobStore(connect(url, max_connections=1)).ping()
    except StoreUnavailable as error:
        reason = str(error.__cause__ or error).rstrip(".")
        raise StartFailed(f"The server at {redact(url)} cannot be used: {reason}. {remedy}") from None
    except ValueError:
        # Not repeated here: what cannot be parsed cannot be rid of its password.
        raise StartFailed(f"REDIS_URL is no redis:// or rediss:// address. {remedy}") from None
    return redact(url)
