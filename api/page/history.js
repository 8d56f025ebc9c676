// The runs of this tab, the newest first; they outlive a reload, not the tab.

import { byId, make } from "./elements.js";
import { outcome } from "./words.js";

const KEPT = "neoserve.history";
const MAX_RUNS = 50;

export class History {
  constructor({ onChoose, onJob }) {
    this.onChoose = onChoose;
    this.onJob = onJob;
    this.runs = [];
    this.items = new Map();
  }

  /** {request, id, job} of each run that was kept. */
  static kept() {
    try {
      const kept = JSON.parse(sessionStorage.getItem(KEPT));
      return Array.isArray(kept) ? kept.filter(isRun) : [];
    } catch {
      return [];
    }
  }

  /** Takes it in once it is a job, and shows how it stands. */
  show(run) {
    if (!run.id) return;
    if (!this.runs.includes(run)) this.add(run);
    const { state, links } = this.items.get(run);
    const text = run.job ? outcome(run.job) : run.over ? "Stopped" : "Under way";
    if (state.textContent === text) return;
    state.textContent = text;
    links.replaceChildren(this.link(run));
    this.keep();
  }

  add(run) {
    const choose = make("button", run.request.text, { type: "button", dir: "auto" });
    choose.addEventListener("click", () => this.onChoose(run));
    const [item, line, state, links] = [make("li"), make("p"), make("span"), make("span")];
    line.append(state, links);
    item.append(choose, line);
    this.items.set(run, { item, choose, state, links });
    this.runs.unshift(run);
    byId("history").prepend(item);
    byId("history-empty").hidden = true;
    for (const old of this.runs.splice(MAX_RUNS)) this.forget(old);
  }

  forget(run) {
    this.items.get(run).item.remove();
    this.items.delete(run);
  }

  link(run) {
    const link = make("a", "JSON", { href: `/jobs/${run.id}`, "aria-label": `JSON of ${run.id}` });
    link.addEventListener("click", (event) => this.onJob(event, run.id));
    return link;
  }

  mark(shown) {
    for (const [run, { choose }] of this.items) {
      choose.setAttribute("aria-current", String(run === shown));
    }
  }

  keep() {
    const runs = this.runs.filter((run) => run.job || !run.over).map(({ request, id, job }) => ({ request, id, job }));
    try {
      sessionStorage.setItem(KEPT, JSON.stringify(runs));
    } catch {
      // Full, or forbidden by the browser: then a reload forgets.
    }
  }
}

/** Another release may have kept something else. */
function isRun(kept) {
  return typeof kept?.id === "string" && typeof kept.request?.text === "string";
}
