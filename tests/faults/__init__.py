"""Faults, injected into real processes, and what they must not do to accepted jobs: docs/reliability.md."""
