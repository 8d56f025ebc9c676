"""What the benchmarks compute and render; never a time."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from pathlib import Path

import pytest
from tokenizers import Tokenizer

from bench import eta
from bench.arrivals import NEW_TOKENS, PROMPT_TOKENS, poisson
from bench.goals import GOALS, Goal, goal_table
from bench.peers.cases import CHECKED_TOKENS, LONE, WHOLE, check, correct_peers, figures, num_equal
from bench.peers.contenders import ALONE, CONTENDERS, GENAI, OURS, REPLACED, REPLACED_PAIR, STATIC
from bench.peers.environment import FOLDER
from bench.peers.prompts import word_prompts
from bench.plot import draw, lines_of, step_of
from bench.report import all_figures, fill, part_of
from bench.result import Result, Table, read_results
from bench.rounds import alternate, percentile, ratio
from tasks.model.tokenizer import read_tokenizer
from tests.models import GPT2_TOKENIZER

ROOT = Path(__file__).resolve().parents[2]


def result(name: str = "engine", **figures: float) -> Result:
    table = Table("Rates", ("texts", "tokens/s"), [["16", "300 (2.5)"]], "Two cores.")
    return Result(name, "a processor\nversions", [table], figures)


def test_every_contender_gets_the_same_arrivals() -> None:
    assert poisson(32, 0.05) == poisson(32, 0.05)


def test_another_gap_moves_the_same_requests() -> None:
    near, far = poisson(32, 0.05), poisson(32, 0.5)
    assert [replace(each, at=0) for each in near] == [replace(each, at=0) for each in far]
    assert [each.at for each in far] == pytest.approx([10 * each.at for each in near])


def test_arrivals_are_in_order_and_of_the_lengths_they_say() -> None:
    arrivals = poisson(200, 0.1)
    times = [each.at for each in arrivals]
    assert times == sorted(times)
    assert times[0] == 0
    assert times[-1] == pytest.approx(20, rel=0.25)
    for each in arrivals:
        assert PROMPT_TOKENS[0] <= len(each.prompt_ids) <= PROMPT_TOKENS[1]
        assert NEW_TOKENS[0] <= each.new_tokens <= NEW_TOKENS[1]


def test_estimates_are_compared_with_long_waits_only_and_those_that_are_missing_counted() -> None:
    estimates = [
        eta.Estimate(job_id, "low", at, seconds)
        for job_id, at, seconds in (("a", 0, 15), ("a", 2, 8), ("a", 6, 100), ("b", 0, None), ("never", 0, 1))
    ]
    all_jobs, low = eta.table(estimates, {"a": 10, "b": 20}).rows
    # 50 % too long and right.
    assert all_jobs == ["all", "25 %", "45 %", "1.25", "2", "1", "20"]
    assert low[1:] == all_jobs[1:]


def test_contenders_take_turns() -> None:
    turns: list[str] = []
    measured = alternate({name: lambda name=name: turns.append(name) or len(turns) for name in "ab"}, 2)
    assert turns == ["a", "b", "a", "b"]
    assert measured == {"a": [1, 3], "b": [2, 4]}


def test_a_ratio_is_that_within_the_rounds() -> None:
    # The second round was slow for both.
    assert ratio([30, 3, 32], [10, 1, 16]) == 3


@pytest.mark.parametrize(("percent", "expected"), [(50, 3), (95, 4.8), (1, 1.04)])
def test_a_percentile_is_interpolated(percent: int, expected: float) -> None:
    assert percentile([5, 1, 4, 2, 3], percent) == pytest.approx(expected)


def test_the_percentile_of_one_value_is_that_value() -> None:
    assert percentile([7], 95) == 7


def test_a_result_survives_its_file(tmp_path: Path) -> None:
    written = result(**{"engine.decode.16x64.float16": 3.6})
    written.save(tmp_path / "new")
    read = read_results(tmp_path / "new")["engine"]
    assert (read.machine, dict(read.figures), part_of(read)) == (
        written.machine,
        written.figures,
        part_of(written),
    )


def test_a_folder_that_is_not_there_holds_no_results(tmp_path: Path) -> None:
    assert read_results(tmp_path / "none") == {}


def test_a_part_replaces_what_stands_between_its_marks() -> None:
    page = "a\n<!-- bench:x -->\nold\n<!-- bench:end -->\nb\n<!-- bench:y -->\nkept\n<!-- bench:end -->\n"
    filled = fill(page, {"x": "new \\1"})
    assert filled == page.replace("old", "\nnew \\1\n")
    assert fill(filled, {"x": "new \\1"}) == filled


def test_a_part_without_a_place_is_refused() -> None:
    with pytest.raises(ValueError, match="'x'"):
        fill("nothing here", {"x": "text"})


def test_the_page_has_a_place_for_every_benchmark() -> None:
    page = (ROOT / "docs/performance.md").read_text(encoding="utf-8")
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    line = next(line for line in makefile.splitlines() if line.startswith("BENCHMARKS :="))
    names = ["goals", "peers", *line.partition(":= ")[2].split()]
    filled = fill(page, {name: f"part {name}" for name in names})
    assert all(f"part {name}" in filled for name in names)


def test_a_part_names_the_machine_and_holds_the_tables() -> None:
    assert part_of(result()) == (
        "    a processor\n    versions\n\n**Rates**\n\n"
        "| texts | tokens/s |\n| --- | --- |\n| 16 | 300 (2.5) |\n\nTwo cores."
    )


def test_a_goal_is_met_short_or_not_measured() -> None:
    figures = all_figures({"a": result(**{GOALS[0].figure: 2.5}), "b": result(**{GOALS[1].figure: 0.5})})
    rows = list(goal_table(figures).rows)
    assert [row[3:] for row in rows[:3]] == [["2.5 ×", "met"], ["0.5 ×", "**short**"], ["not measured", ""]]
    assert len(rows) == len(GOALS)


def test_a_limit_may_be_from_above() -> None:
    goal = Goal("latency", "engine", "http.added", 5, "ms", at_most=True)
    assert goal.row(4)[2:] == ["≤ 5 ms", "4 ms", "met"]
    assert not goal.met(5.1)


def test_the_plot_draws_a_line_for_each_contender() -> None:
    figures = {"engine.decode_rate.16x64.float16": 400.0, "engine.decode_rate.1x64.float16": 60.0}
    figures |= {"engine.decode_rate.1x64.generate()": 20.0, "engine.decode_rate.16x512.float16": 200.0}
    assert lines_of(figures) == {"float16": [(1, 60.0), (16, 400.0)], "generate()": [(1, 20.0)]}
    texts = [
        each.text for each in ElementTree.fromstring(draw(figures)).iter("{http://www.w3.org/2000/svg}text")
    ]
    assert {"float16", "generate()", "1", "16", "400"} <= set(texts)


def test_a_plot_without_figures_is_a_frame() -> None:
    ElementTree.fromstring(draw({}))


@pytest.mark.parametrize(("highest", "step"), [(5, 1), (31, 10), (430, 100), (1250, 500)])
def test_an_axis_has_few_round_marks(highest: float, step: int) -> None:
    assert step_of(highest) == step


def test_tokens_are_equal_up_to_the_first_that_differs() -> None:
    assert num_equal([1, 2, 9, 4], [1, 2, 3, 4]) == 2
    assert num_equal([1, 2], [1, 2]) == 2


def test_a_peer_is_right_when_it_writes_what_generate_writes_within_the_window() -> None:
    right = [[1] * CHECKED_TOKENS] * 3
    late = [*right[:2], [2] * CHECKED_TOKENS]
    early = [[2] * CHECKED_TOKENS, *right[1:]]
    checked = check({ALONE.name: right, GENAI.name: late, "int8": early, OURS[0].name: right})
    assert checked[GENAI.name] == [CHECKED_TOKENS, CHECKED_TOKENS, 0]
    assert correct_peers(checked) == [ALONE.name, GENAI.name]


def test_the_best_correct_peer_is_the_rival() -> None:
    ours = OURS[1].name
    rates = {WHOLE.name: {ours: [300.0], STATIC.name: [100.0], GENAI.name: [200.0], "int8": [250.0]}}
    whole = CHECKED_TOKENS
    found = figures(rates, {STATIC.name: [whole] * 3, GENAI.name: [whole, whole, 0], "int8": [0, 0, 0]})
    assert found["peers.whole.static.float16"] == 3
    assert found["peers.whole.best.float16"] == 1.5
    assert "peers.lone.replaced.float16" not in found


def test_the_replaced_design_may_run_as_many_at_a_time_as_suits_it() -> None:
    rates = {"crowd": {OURS[1].name: [600.0], REPLACED.name: [10.0], REPLACED_PAIR.name: [15.0]}}
    assert figures(rates, {})["peers.crowd.replaced.float16"] == 40


def test_a_serial_contender_gets_a_part_of_the_prompts() -> None:
    assert [WHOLE.num_asked(serial=True), WHOLE.num_asked(serial=False), LONE.num_asked(serial=True)] == [
        4,
        16,
        1,
    ]


def test_every_contender_has_its_module_and_its_environment() -> None:
    for each in CONTENDERS:
        assert (FOLDER / f"{each.module}.py").exists()
        assert each.environment is None or (FOLDER / f"{each.environment}.txt").exists()


def test_a_prompt_survives_being_text() -> None:
    tokenizer = Tokenizer.from_str(read_tokenizer(GPT2_TOKENIZER))
    for prompt in word_prompts(GPT2_TOKENIZER, 20, 60):
        assert tokenizer.encode(tokenizer.decode(prompt)).ids == prompt
