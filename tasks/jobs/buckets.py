"""Upper bounds of histograms, in seconds. What measures the same has the same, so that it can be compared."""

from __future__ import annotations

#: Requests and jobs: a generation may take minutes, so they reach well beyond the usual ten seconds.
LATENCY_BUCKETS = (
    0.005,
    0.01,
    0.025,
    0.05,
    0.1,
    0.25,
    0.5,
    1.0,
    2.5,
    5.0,
    10.0,
    20.0,
    30.0,
    60.0,
    120.0,
    300.0,
)

#: Single tokens and steps of the engine.
TOKEN_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
