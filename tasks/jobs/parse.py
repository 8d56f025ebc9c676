"""What the text of a setting may be. Every function raises ValueError with words that help."""

from __future__ import annotations

import logging
import math


def parse_number(text: str, low: float, high: float) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not low <= number <= high:
        raise ValueError(f"expected a number from {low:g} to {high:g}")
    return number


def parse_whole(text: str, low: int, high: int) -> int:
    number = parse_number(text, low, high)
    if not number.is_integer():
        raise ValueError("expected a whole number")
    return int(number)


def parse_port(text: str) -> int:
    return parse_whole(text, 0, 65535)


def parse_log_level(text: str) -> str:
    level = text.strip().upper()
    if level not in logging.getLevelNamesMapping():
        raise ValueError("expected DEBUG, INFO, WARNING or ERROR")
    return level
