// One request from its sending to its end.

import { JobEvents } from "./job_events.js";
import { Refused } from "./problem.js";

/** How often a job is asked for its place, or how many tokens it has: its events tell the one rarely, the other never. */
const LOOK_MS = 1000;

const CANCEL_AGAIN_MS = 1000;

/** Method for each event of the stream. */
const HANDLERS = { queued: "onQueued", started: "onStarted", token: "onToken", done: "onDone", error: "onError" };

export class Run {
  /** `job` is the job object of a run that has ended, `id` names one that is to be followed further. */
  constructor(api, { request, id = null, job = null }, onChange) {
    this.api = api;
    this.request = request;
    this.order = { request, id, idempotencyKey: randomKey() };
    this.onChange = onChange;
    this.state = job ? "ended" : "sending";
    this.job = job;
    this.text = job ? continuation(job, request) : "";
    this.attempt = 0;
    this.position = null;
    this.startsAt = null;
    this.progress = null;
    this.pause = null;
    this.error = null;
    this.canceling = false;
    this.asked = false; // To end.
  }

  get id() {
    return this.order.id;
  }

  /** Nothing more will happen: it has ended, was refused, or was given up before there was a job. */
  get over() {
    return ["ended", "refused", "dropped"].includes(this.state);
  }

  async follow() {
    this.events = new JobEvents(this.api, this.order, {
      onPause: (error, seconds) => this.paused(error, seconds),
      onGoing: () => this.going(),
    });
    const looking = setInterval(() => this.look(), LOOK_MS);
    try {
      for await (const { name, data } of this.events) this[HANDLERS[name]]?.(data);
      if (!this.over) this.change({ state: "dropped", pause: null });
    } catch (error) {
      this.change({ state: "refused", pause: null, error });
      if (!(error instanceof Refused)) throw error;
    } finally {
      clearInterval(looking);
    }
  }

  /** Asks for the end of the job, as soon as there is one to ask for. */
  cancel() {
    if (this.over || this.canceling) return;
    this.change({ canceling: true });
    if (this.id) this.sendCancel();
    else if (this.pause) this.events.stop();
  }

  paused(error, seconds) {
    this.change({ pause: { error, until: Date.now() + seconds * 1000 } });
    // Given up meanwhile, before the service has said that there is a job.
    if (this.canceling && !this.id) this.events.stop();
  }

  going() {
    this.change({ pause: null });
    if (this.canceling && !this.asked) this.sendCancel();
  }

  async sendCancel() {
    this.asked = true;
    try {
      await this.api.cancel(this.id);
    } catch (error) {
      if (error.passes) setTimeout(() => this.over || this.sendCancel(), CANCEL_AGAIN_MS);
      // 409: it has ended by itself, and the events tell how.
      else if (error.status !== 409) this.change({ canceling: false, asked: false });
    }
  }

  async look() {
    if (!["queued", "running"].includes(this.state) || this.pause) return;
    const job = await this.api.job(this.id).catch(() => null);
    if (this.state === "running" && job?.progress) this.change({ progress: { ...job.progress, at: Date.now() } });
    if (this.state === "queued" && job?.queue) this.onQueued(job.queue);
  }

  onQueued({ position, eta_s: seconds }) {
    const startsAt = seconds === null ? null : Date.now() + seconds * 1000;
    this.change({ state: position === null ? "claimed" : "queued", position, startsAt });
  }

  onStarted({ attempt }) {
    this.change({ state: "running", attempt, text: "", progress: null, startedAt: Date.now() });
  }

  onToken({ text }) {
    this.change({ text: this.text + text });
  }

  onDone({ job }) {
    this.change({ state: "ended", job, text: continuation(job, this.request) || this.text });
  }

  onError({ problem }) {
    this.change({ state: "refused", error: new Refused(problem.status, problem, null) });
  }

  change(values) {
    Object.assign(this, values);
    this.onChange(this);
  }
}

/** What the model wrote, without the prompt in front of it. */
function continuation(job, request) {
  const whole = job.result?.[0]?.generated_text ?? "";
  return whole.startsWith(request.text) ? whole.slice(request.text.length) : whole;
}

/** randomUUID() is for https and localhost only. */
function randomKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
