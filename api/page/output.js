// The run that is shown: how it stands, its text, its figures.

import { byId, make } from "./elements.js";
import { standing, trouble } from "./standing.js";
import { count, duration, whyEnded } from "./words.js";

export class Output {
  constructor({ onCancel, onAgain, onCopy, onJob }) {
    this.run = null;
    this.given = byId("given");
    this.written = byId("written").appendChild(document.createTextNode(""));
    this.cancel = byId("cancel");
    this.cancel.addEventListener("click", onCancel);
    byId("again").addEventListener("click", () => onAgain(this.run));
    byId("copy-text").addEventListener("click", (event) => onCopy(event.currentTarget, byId("text").textContent));
    byId("job-link").addEventListener("click", (event) => onJob(event, this.run.id));
  }

  show(run) {
    this.run = run;
    this.showState();
    this.showText();
    this.showProgress();
    this.showNotice();
    this.showFacts();
  }

  /** Also called by the clock: some of it counts down. */
  showState() {
    const run = this.run;
    if (!run) return;
    const [state, more] = standing(run);
    const line = [make("strong", state), make("span", more)];
    if (byId("state").textContent !== state + more) byId("state").replaceChildren(...line);
    document.title = `${state} · NeoServe`;
    // What is hidden loses the focus, and with it the place of who has no mouse.
    if (run.over && document.activeElement === this.cancel) byId("generate").focus();
    this.cancel.hidden = run.over;
    this.cancel.setAttribute("aria-disabled", String(run.canceling));
  }

  showText() {
    const { text, state, request } = this.run;
    if (this.given.textContent !== request.text) this.given.textContent = request.text;
    // Appending leaves a reader's selection alone.
    if (text.startsWith(this.written.data)) this.written.appendData(text.slice(this.written.length));
    else this.written.data = text;
    byId("hint").hidden = true;
    byId("text").hidden = state === "refused" && !text;
    byId("text").setAttribute("aria-busy", String(state === "running"));
  }

  showProgress() {
    const { progress, state } = this.run;
    byId("progress").hidden = state !== "running" || !progress;
    byId("progress").max = progress?.max_new_tokens ?? 1;
    byId("progress").value = progress?.tokens ?? 0;
  }

  showNotice() {
    const words = trouble(this.run);
    byId("notice").hidden = !words;
    byId("notice").classList.toggle("passing", !this.run.over);
    byId("notice-title").textContent = words?.title ?? "";
    byId("notice-remedy").textContent = words?.remedy ?? "";
    byId("notice-detail").textContent = words?.detail ?? "";
  }

  showFacts() {
    const { job, id } = this.run;
    byId("facts").hidden = !job;
    byId("actions").hidden = !job;
    if (id) byId("job-link").href = `/jobs/${id}`;
    byId("facts").replaceChildren(...(job ? facts(job) : []).flatMap(fact));
  }
}

function facts(job) {
  const { metrics, usage, parameters } = job;
  return [
    ["Prompt", usage && count(usage.prompt_tokens, "token")],
    ["In the queue", metrics.queue_s !== null && duration(metrics.queue_s)],
    ["In all", metrics.total_s !== null && duration(metrics.total_s)],
    ["Ended", whyEnded(job)],
    ["Seed", String(parameters.seed)],
  ].filter(([, value]) => value);
}

function fact([name, value]) {
  const group = make("div");
  group.append(make("dt", name), make("dd", value));
  return [group];
}
