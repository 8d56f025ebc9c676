"""With the keyboard alone, with a screen reader, in the dark, on a phone."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.browser import expect
from tests.integration.page.conftest import OpenSheet
from tests.integration.page.sheet import Sheet

PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
NARROW = {"viewport": {"width": 320, "height": 640}}
DESKTOP = {"viewport": {"width": 1280, "height": 800}}

#: Roles of what one can operate; each must say what it is.
CONTROLS = {
    "button",
    "combobox",
    "dialog",
    "link",
    "progressbar",
    "spinbutton",
    "tab",
    "tabpanel",
    "textbox",
}

#: Texts that can be seen and are less than 4.5 : 1 against what is behind them (WCAG 2, 1.4.3).
FAINT = """() => {
  const context = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const rgb = (...colors) => {
    context.clearRect(0, 0, 1, 1);
    for (const color of colors) { context.fillStyle = color; context.fillRect(0, 0, 1, 1); }
    return [...context.getImageData(0, 0, 1, 1).data].slice(0, 3);
  };
  const luminance = (color) => {
    const [r, g, b] = color.map((c) => (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (element) => {
    const layers = [];
    for (let each = element; each; each = each.parentElement)
      layers.unshift(getComputedStyle(each).backgroundColor);
    return layers;
  };
  const hasText = (each) => [...each.childNodes].some((n) => n.nodeType === 3 && n.data.trim());
  return [...document.body.querySelectorAll("*")]
    .filter((each) => (hasText(each) || each.matches("input, textarea")) && each.checkVisibility())
    .filter((each) => !each.closest("[aria-disabled=true]"))
    .map((each) => {
      const layers = behind(each);
      const one = luminance(rgb(...layers));
      const other = luminance(rgb(...layers, getComputedStyle(each).color));
      const ratio = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
      return [each.tagName + "#" + each.id + ": " + each.textContent.slice(0, 30), ratio];
    })
    .filter(([, ratio]) => ratio < 4.5);
}"""


def assert_fits(sheet: Sheet) -> None:
    widths = sheet.page.evaluate("[document.scrollingElement.scrollWidth, innerWidth]")
    assert widths[0] <= widths[1]


def nameless(sheet: Sheet) -> list[Any]:
    session = sheet.context.new_cdp_session(sheet.page)
    nodes = session.send("Accessibility.getFullAXTree")["nodes"]
    seen = [each for each in nodes if not each["ignored"] and each["role"]["value"] in CONTROLS]
    assert len(seen) > 10
    return [each["role"]["value"] for each in seen if not each["name"]["value"].strip()]


def test_everything_can_be_done_with_the_keyboard_alone(sheet: Sheet) -> None:
    keyboard = sheet.page.keyboard
    expect(sheet.prompt).to_be_focused()
    keyboard.press("Control+A")
    keyboard.type("By hand")
    for value in ("500", "0.5", "7"):
        keyboard.press("Tab")
        keyboard.press("Control+A")
        keyboard.type(value)
    keyboard.press("Control+Enter")
    sheet.wait_written(5)
    keyboard.press("Escape")
    expect(sheet.state).to_contain_text("Canceled")

    expect(sheet.page.get_by_label("Seed")).to_be_focused()
    keyboard.press("Tab")
    expect(sheet.button("Generate")).to_be_focused()
    keyboard.press("Enter")
    sheet.wait_written(5)
    keyboard.press("Tab")
    expect(sheet.button("Cancel")).to_be_focused()
    keyboard.press("Space")
    expect(sheet.state).to_contain_text("Canceled")
    expect(sheet.button("Generate")).to_be_focused()
    assert sheet.job()["parameters"]["seed"] == 7


def test_arrows_choose_the_language(sheet: Sheet) -> None:
    sheet.page.get_by_role("tab", name="curl").focus()
    sheet.page.keyboard.press("ArrowRight")

    expect(sheet.page.get_by_role("tab", name="Python")).to_be_focused()
    expect(sheet.page.get_by_role("tabpanel", name="Python")).to_contain_text("import json")


def test_what_has_the_focus_is_marked(sheet: Sheet) -> None:
    unmarked = []
    for _ in range(12):
        sheet.page.keyboard.press("Tab")
        outline = sheet.page.evaluate(
            "[document.activeElement.outerHTML, getComputedStyle(document.activeElement).outlineStyle]"
        )
        if outline[1] == "none" and not outline[0].startswith("<body"):
            unmarked.append(outline[0])
    assert unmarked == []


@pytest.mark.parametrize("options", [DESKTOP, pytest.param(PHONE, marks=pytest.mark.slow)])
def test_every_control_has_a_name(open_sheet: OpenSheet, options: dict[str, Any]) -> None:
    sheet = open_sheet(**options)
    sheet.ask(tokens=5)
    expect(sheet.state).to_contain_text("Done")
    assert nameless(sheet) == []
    sheet.page.get_by_role("link", name="Job JSON").click()
    expect(sheet.page.get_by_role("dialog")).to_contain_text("succeeded")
    session = sheet.context.new_cdp_session(sheet.page)
    nodes = session.send("Accessibility.getFullAXTree")["nodes"]
    names = [each["name"]["value"] for each in nodes if each.get("role", {}).get("value") == "button"]
    assert {"Copy", "Close"} <= set(names)


def test_a_screen_reader_is_told_the_states_and_the_whole_text(sheet: Sheet) -> None:
    sheet.ask("Aloud", tokens=60)
    expect(sheet.announced).to_have_text("Writing")
    assert sheet.page.locator("#text").get_attribute("aria-busy") == "true"
    expect(sheet.announced).to_have_text(re.compile("Done. .{60}"))
    assert sheet.announced.text_content() == f"Done. {sheet.written.text_content()}"
    assert sheet.page.locator("#text").get_attribute("aria-busy") == "false"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_can_be_read_in_either_scheme(open_sheet: OpenSheet, scheme: str) -> None:
    sheet = open_sheet(color_scheme=scheme, reduced_motion="reduce")  # No color is on its way to another.
    sheet.ask(tokens=5)
    expect(sheet.state).to_contain_text("Done")
    assert sheet.page.evaluate(FAINT) == []
    sheet.set("Temperature", 500)
    sheet.button("Generate").click()
    expect(sheet.state).to_contain_text("Not accepted")
    sheet.set("Temperature", 1)
    sheet.page.route("**/predict", lambda route: route.fulfill(status=403))
    sheet.button("Generate").click()
    expect(sheet.notice).to_be_visible()
    assert sheet.page.evaluate(FAINT) == []


@pytest.mark.slow
def test_the_schemes_differ(open_sheet: OpenSheet) -> None:
    papers = [
        open_sheet(color_scheme=scheme).page.evaluate(
            "getComputedStyle(document.documentElement).backgroundColor"
        )
        for scheme in ("light", "dark")
    ]
    assert papers[0] != papers[1]


@pytest.mark.parametrize("options", [DESKTOP, PHONE, pytest.param(NARROW, marks=pytest.mark.slow)])
def test_nothing_is_wider_than_the_window(open_sheet: OpenSheet, options: dict[str, Any]) -> None:
    sheet = open_sheet(**options)
    assert_fits(sheet)
    sheet.ask("W" * 300, tokens=50)
    expect(sheet.state).to_contain_text("Done")
    assert_fits(sheet)
    sheet.page.get_by_role("link", name="Job JSON").click()
    expect(sheet.page.get_by_role("dialog")).to_contain_text("succeeded")
    assert_fits(sheet)
    sheet.button("Close").click()
    sheet.set("New tokens", 10**7)
    sheet.button("Generate").click()
    expect(sheet.state).to_contain_text("Not accepted")
    assert_fits(sheet)


def test_controls_are_large_enough_for_a_finger(open_sheet: OpenSheet) -> None:
    sheet = open_sheet(**PHONE)
    sheet.ask(tokens=5)
    expect(sheet.state).to_contain_text("Done")
    small = sheet.page.evaluate(
        """[...document.querySelectorAll("button, input, .button")]
            .filter((each) => each.checkVisibility() && each.getBoundingClientRect().height < 44)
            .map((each) => each.outerHTML)"""
    )
    assert small == []


def test_nothing_moves_for_who_wants_it_still(open_sheet: OpenSheet) -> None:
    moving = "document.getAnimations().length"
    still = open_sheet(reduced_motion="reduce")
    still.ask(tokens=100)
    still.wait_written(3)
    assert still.page.evaluate(moving) == 0
    still.button("Cancel").click()
    lively = open_sheet(reduced_motion="no-preference")
    lively.ask(tokens=100)
    lively.wait_written(3)
    assert lively.page.evaluate(moving) > 0
