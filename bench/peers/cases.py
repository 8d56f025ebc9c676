"""What the peers are asked, and what their answers come to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from bench.peers.contenders import ALONE, GENAI, OURS, REPLACED, REPLACED_PAIR, STATIC
from bench.rounds import ratio

#: Requests that a serial contender gets; the time of all of them is computed from these.
NUM_SERIAL = 4


@dataclass(frozen=True)
class Case:
    name: str
    title: str
    num_prompts: int
    context: int
    new_tokens: int
    with_fresh: bool  #: Contenders that start a process for each request take part.

    def num_asked(self, serial: bool) -> int:
        return min(self.num_prompts, NUM_SERIAL) if serial else self.num_prompts


WHOLE = Case("whole", "16 prompts of 64 tokens, 32 new ones, prefill included", 16, 64, 32, with_fresh=False)
LONE = Case("lone", "A lone request: 32 tokens, 50 new ones", 1, 32, 50, with_fresh=True)
CROWD = Case("crowd", "32 requests at once: 32 tokens, 50 new ones", 32, 32, 50, with_fresh=True)
CASES = (WHOLE, LONE, CROWD)

#: Prompt lengths of the check against generate(): the last is beyond the local layers' window of 256 tokens.
CHECKED_LENGTHS = (40, 200, 400)
CHECKED_TOKENS = 24

#: By case and contender, in the order of the rounds: new tokens per second.
Rates = Mapping[str, Mapping[str, Sequence[float]]]
#: By contender: how many first tokens of each checked prompt equal generate()'s.
Checked = Mapping[str, Sequence[int]]


def num_equal(tokens: Sequence[int], expected: Sequence[int]) -> int:
    """Tokens before the first that differs."""
    pairs = zip(tokens, expected, strict=True)
    return next((place for place, (token, other) in enumerate(pairs) if token != other), len(tokens))


def figures(rates: Rates, checked: Checked) -> dict[str, float]:
    """What the goals need; nothing for contenders that did not run."""
    found = {
        f"peers.{case}.rate.{name}": median(each) for case in rates for name, each in rates[case].items()
    }
    for contender in OURS:
        precision = contender.arguments[0]
        for figure, case, rivals in (
            ("whole.static", WHOLE, [STATIC.name]),
            ("whole.best", WHOLE, correct_peers(checked)),
            ("whole.genai", WHOLE, [GENAI.name]),
            ("lone.replaced", LONE, [REPLACED.name]),
            ("crowd.replaced", CROWD, [REPLACED.name, REPLACED_PAIR.name]),
        ):
            measured = rates.get(case.name, {})
            running = [name for name in rivals if name in measured]
            if running and contender.name in measured:
                best = max(running, key=lambda name: median(measured[name]))
                found[f"peers.{figure}.{precision}"] = ratio(measured[contender.name], measured[best])
    return found


def correct_peers(checked: Checked) -> list[str]:
    """Those that write what generate() writes within the window, where the compared case is."""
    within = [place for place, length in enumerate(CHECKED_LENGTHS) if length <= 256]
    ours = {contender.name for contender in OURS}
    return [
        name
        for name, equal in checked.items()
        if name not in ours and all(equal[place] == CHECKED_TOKENS for place in within)
    ]


def check(answers: Mapping[str, Sequence[Sequence[int]]]) -> Checked:
    """Compare every contender's texts with those of generate(), one at a time; nothing without these."""
    if ALONE.name not in answers:
        return {}
    return {
        name: [num_equal(text, right) for text, right in zip(texts, answers[ALONE.name], strict=True)]
        for name, texts in answers.items()
    }
