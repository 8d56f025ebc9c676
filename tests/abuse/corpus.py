"""All abusive requests."""

from __future__ import annotations

from itertools import chain

from tests.abuse import addresses, batches, completions, documents, fields, framing, headers
from tests.abuse.case import Case, everywhere

#: Where a request with the fields of a job may be sent.
JOB_ROUTES = ("/predict?wait=0", "/jobs")


def corpus() -> list[Case]:
    return [
        *everywhere(JOB_ROUTES, chain(fields.bodies(), documents.bodies())),
        *everywhere(["/v1/completions"], chain(completions.bodies(), documents.bodies())),
        *batches.cases(),
        *headers.cases(),
        *addresses.cases(),
        *framing.cases(),
    ]
