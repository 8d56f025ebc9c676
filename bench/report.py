"""Puts results into docs/performance.md: the goals, every benchmark's tables, and the plot beside the page.

    .venv/bin/python -m bench.report --json FOLDER [--page docs/performance.md]

The page holds a pair of marks for each part, `<!-- bench:NAME -->` and `<!-- bench:end -->`; what stands
between them is replaced. A part without a result stays as it is, so one benchmark can be run again alone;
the goals are those of all results in the folder.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path

from bench.goals import goal_table
from bench.plot import draw
from bench.result import Result, Table, read_results

GOALS_PART = "goals"


def part_of(result: Result) -> str:
    tables = "\n\n".join(table.markdown() for table in result.tables)
    machine = "\n".join(f"    {line}" for line in result.machine.splitlines())
    return f"{machine}\n\n{tables}" if machine else tables


def all_figures(results: Mapping[str, Result]) -> dict[str, float]:
    return {name: value for result in results.values() for name, value in result.figures.items()}


def fill(page: str, parts: Mapping[str, str]) -> str:
    """The page with the named parts replaced. Raises ValueError for a part without a place in it."""
    for name, text in parts.items():
        begin, end = f"<!-- bench:{name} -->\n", "<!-- bench:end -->"
        if page.count(begin) != 1:
            raise ValueError(f"the page has {page.count(begin)} places for the part {name!r}, not one")
        before, _, rest = page.partition(begin)
        page = f"{before}{begin}\n{text}\n\n{end}{rest.partition(end)[2]}"
    return page


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", type=Path, required=True)
    parser.add_argument("--page", type=Path, default=Path("docs/performance.md"))
    options = parser.parse_args()
    results = read_results(options.json)
    figures = all_figures(results)
    goals: Table = goal_table(figures)
    parts = {name: part_of(result) for name, result in results.items()} | {GOALS_PART: goals.markdown()}
    options.page.write_text(fill(options.page.read_text(encoding="utf-8"), parts), encoding="utf-8")
    options.page.with_suffix(".svg").write_text(draw(figures), encoding="utf-8")
    print(goals.markdown())


if __name__ == "__main__":
    main()
