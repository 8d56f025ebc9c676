// The request of the form as code, in the language of the chosen tab.

import { curl, python } from "./code.js";
import { byId } from "./elements.js";

const LANGUAGES = { "tab-curl": curl, "tab-python": python };

export class CodePanel {
  constructor({ onCopy }) {
    this.tabs = Object.keys(LANGUAGES).map(byId);
    this.chosen = this.tabs[0];
    this.write = () => "";
    for (const tab of this.tabs) {
      tab.addEventListener("click", () => this.choose(tab));
      tab.addEventListener("keydown", (event) => this.move(event));
    }
    byId("copy-code").addEventListener("click", (event) => onCopy(event.currentTarget, this.text));
  }

  show(request, hasKey) {
    this.write = (language) => language(request, location.origin, hasKey);
    this.refresh();
  }

  get text() {
    return this.write(LANGUAGES[this.chosen.id]);
  }

  refresh() {
    byId("code-text").textContent = this.text;
  }

  choose(chosen) {
    this.chosen = chosen;
    for (const tab of this.tabs) {
      tab.setAttribute("aria-selected", String(tab === chosen));
      tab.tabIndex = tab === chosen ? 0 : -1;
    }
    byId("code").setAttribute("aria-labelledby", chosen.id);
    this.refresh();
  }

  move({ key }) {
    if (key !== "ArrowLeft" && key !== "ArrowRight") return;
    const other = this.tabs.find((tab) => tab !== this.chosen);
    this.choose(other);
    other.focus();
  }
}
