"""What the types of answers are made of."""

from __future__ import annotations

from typing import Annotated

from pydantic import ConfigDict, Field

#: Of every type here: what stands below a member is its description in the document.
DESCRIBED = ConfigDict(use_attribute_docstrings=True)

#: ISO 8601 in UTC with milliseconds, `2026-11-22T10:00:00.123Z`.
Time = Annotated[str, Field(json_schema_extra={"format": "date-time"})]

JobId = Annotated[str, Field(pattern=r"^job_[0-9a-f]{32}$")]
BatchId = Annotated[str, Field(pattern=r"^batch_[0-9a-f]{32}$")]

Count = Annotated[int, Field(ge=0)]
Seconds = Annotated[float, Field(ge=0)]
