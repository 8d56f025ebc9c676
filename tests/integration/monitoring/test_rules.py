"""prometheus.yml, alert_rules.yml and k8s/base/alertmanager.yml, as the real programs read them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.monitoring import checked, required_program

ROOT = Path(__file__).parents[3]
RULES = ROOT / "alert_rules.yml"
ALERTMANAGER = ROOT / "k8s/base/alertmanager.yml"
CASES = sorted(Path(__file__).with_name("rules").glob("*.yml"))


def load(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def test_prometheus_takes_its_configuration_and_the_rules() -> None:
    promtool = required_program("promtool")
    checked(promtool, "check", "config", ROOT / "prometheus.yml")
    checked(promtool, "check", "rules", "--lint=all", "--lint-fatal", RULES)


@pytest.mark.parametrize("cases", CASES, ids=lambda path: path.stem)
def test_each_rule_fires_and_stays_silent_as_its_cases_say(cases: Path, tmp_path: Path) -> None:
    # Without annotations: a case would have to repeat every sentence of them.
    rules = load(RULES)
    for group in rules["groups"]:
        for rule in group["rules"]:
            rule.pop("annotations", None)
    (tmp_path / "rules.yml").write_text(yaml.safe_dump(rules), encoding="utf-8")
    tests = {"rule_files": ["rules.yml"], "evaluation_interval": "1m", **load(cases)}
    (tmp_path / "tests.yml").write_text(yaml.safe_dump(tests), encoding="utf-8")
    checked(required_program("promtool"), "test", "rules", tmp_path / "tests.yml")


def test_every_alert_has_a_case_in_which_it_fires_and_one_in_which_it_is_silent() -> None:
    fires, silent = set(), set()
    for path in CASES:
        for case in load(path)["tests"]:
            for each in case["alert_rule_test"]:
                (fires if each["exp_alerts"] else silent).add(each["alertname"])
    alerts = {rule["alert"] for group in load(RULES)["groups"] for rule in group["rules"] if "alert" in rule}
    assert fires == alerts
    assert silent == alerts - {"Watchdog"}  # which always fires


def test_alertmanager_takes_its_configuration() -> None:
    checked(required_program("amtool"), "check-config", ALERTMANAGER)


@pytest.mark.parametrize(
    ("labels", "receiver"),
    [
        (["alertname=RedisDown", "severity=page"], "pages"),
        (["alertname=CeleryExporterDown", "severity=ticket"], "tickets"),
        (["alertname=Watchdog", "severity=none"], "watchdog"),
    ],
)
def test_alertmanager_tells_those_who_are_meant(labels: list[str], receiver: str) -> None:
    amtool = required_program("amtool")
    said = checked(amtool, "config", "routes", "test", f"--config.file={ALERTMANAGER}", *labels)
    assert said.split() == [receiver]


def test_every_severity_has_a_route_and_every_inhibition_names_alerts_that_exist() -> None:
    rules = [rule for group in load(RULES)["groups"] for rule in group["rules"] if "alert" in rule]
    assert {rule["labels"]["severity"] for rule in rules} == {"page", "ticket", "none"}
    for inhibition in load(ALERTMANAGER)["inhibit_rules"]:
        for matcher in [*inhibition["source_matchers"], *inhibition["target_matchers"]]:
            label, _, value = matcher.replace("=~", "=").partition("=")
            if label.strip() == "alertname":
                assert set(value.strip(' "').split("|")) <= {rule["alert"] for rule in rules}, matcher
