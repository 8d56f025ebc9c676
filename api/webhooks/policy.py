"""Whether a client may have a webhook."""

from __future__ import annotations

from collections.abc import Sequence

from api.errors import InvalidParameters
from api.settings import ApiSettings
from api.webhooks.address import check_url
from tasks.jobs.webhook import Webhook, WebhookEvent

#: As long as a delivery is tried, and so is the job kept, unless its client says otherwise.
WEBHOOK_TTL_SECONDS = 24 * 3600

UNSIGNED = (
    "cannot be used: this service has no secret to sign with (NEOSERVE_WEBHOOK_SECRET), and what is not "
    "signed nobody can trust"
)


class WebhookPolicy:
    def __init__(self, settings: ApiSettings) -> None:
        self._secrets = settings.webhook_secrets
        self._receivers = settings.webhook_allow

    def webhook(self, url: str | None, events: Sequence[str] | None = None) -> Webhook | None:
        """What a request asks for. Raises InvalidParameters."""
        if url is None:
            if events is not None:
                raise InvalidParameters.of("webhook_events", "says nothing without webhook")
            return None
        wanted = set(events or (WebhookEvent.COMPLETED,))
        return self.checked(Webhook(url=url, events=tuple(each for each in WebhookEvent if each in wanted)))

    def checked(self, webhook: Webhook) -> Webhook:
        """The same. Raises InvalidParameters, also for one that was taken when the settings were others."""
        if not self._secrets:
            raise InvalidParameters.of("webhook", UNSIGNED)
        try:
            check_url(webhook.url, self._receivers)
        except ValueError as error:
            raise InvalidParameters.of("webhook", str(error)) from None
        return webhook
