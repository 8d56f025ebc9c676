// How the service does now: workers, queue, wait. Asked often while somebody waits, never while nobody looks.

import { byId, make } from "./elements.js";
import { Unreachable } from "./problem.js";
import { count, roughly } from "./words.js";

const CALM_MS = 5000;
const BUSY_MS = 2000;

export class Fleet {
  constructor(api, { isBusy, onNews, onRefused }) {
    this.api = api;
    this.isBusy = isBusy;
    this.onNews = onNews;
    this.onRefused = onRefused;
    document.addEventListener("visibilitychange", () => this.look());
  }

  async look() {
    clearTimeout(this.timer);
    if (document.hidden) return;
    try {
      const health = await this.api.health();
      this.show(...describe(health));
      await this.onNews(health);
    } catch (error) {
      this.show("bad", [error instanceof Unreachable ? "No answer from the service" : refusal(error)]);
      this.onRefused(error);
    }
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.look(), this.isBusy() ? BUSY_MS : CALM_MS);
  }

  show(standing, lines) {
    const list = byId("fleet");
    list.dataset.standing = standing;
    lines.forEach((line, place) => {
      const item = list.children[place] ?? list.appendChild(make("li"));
      if (item.textContent !== line) item.textContent = line;
    });
    while (list.children.length > lines.length) list.lastChild.remove();
  }
}

function refusal(error) {
  return error.status === 401 ? "An API key is needed" : "The service cannot say how it does";
}

function describe({ workers, queue, models, reasons }) {
  const slots = workers.reduce((sum, each) => sum + each.slots, 0);
  const busy = workers.reduce((sum, each) => sum + each.jobs, 0);
  const full = reasons.includes("queue_full") ? "queue full" : "";
  const depth = full || (queue.depth ? `${queue.depth.toLocaleString("en")} in the queue` : "queue empty");
  if (!workers.length) return ["bad", ["No worker is running", depth]];
  const lines = [count(workers.length, "worker"), `${busy} of ${slots} places busy`, depth, waitOf(models)];
  return [full ? "bad" : "good", lines.filter(Boolean)];
}

/** Of a job that is submitted now, at the model where that is longest. */
function waitOf(models) {
  const waits = models.map((each) => each.estimated_wait_s.normal).filter((each) => each !== null);
  if (!waits.length) return "";
  const longest = Math.max(...waits);
  return longest < 1 ? "starts at once" : `wait about ${roughly(longest)}`;
}
