// One job's events from its beginning to its end, over as many connections as that takes.

import { readEvents } from "./event_stream.js";
import { Unreachable } from "./problem.js";

const FIRST_PAUSE = 0.5;
const LONGEST_PAUSE = 8;

export class JobEvents {
  /**
   * `job` is {request, idempotencyKey} of one to submit, or {id} of one that exists; `id` is filled in.
   * `onPause(error, seconds)` is told before each wait, `onGoing()` when the events go on.
   */
  constructor(api, job, { onPause, onGoing }) {
    this.api = api;
    this.job = job;
    this.onPause = onPause;
    this.onGoing = onGoing;
    this.lastId = "";
    this.failures = 0;
    this.stopping = new AbortController();
  }

  /** Ends the events, also in the middle of a pause. */
  stop() {
    this.stopping.abort();
  }

  /** Yields events up to `done` or `error`. Raises Refused where trying again would not help. */
  async *[Symbol.asyncIterator]() {
    while (!this.stopping.signal.aborted) {
      let trouble;
      try {
        let restart = 0;
        for await (const event of readEvents(await this.open())) {
          this.failures = 0;
          restart = event.retry || restart;
          if (event.id) this.lastId = event.id;
          if (event.name) yield event;
          if (event.name === "done" || event.name === "error") return;
        }
        trouble = Object.assign(new Unreachable(), { retryAfter: restart / 1000 || null });
      } catch (error) {
        if (this.stopping.signal.aborted) return;
        if (!error.passes) throw error;
        trouble = error;
      }
      await this.pause(trouble);
    }
  }

  async open() {
    const { id, request, idempotencyKey } = this.job;
    const signal = this.stopping.signal;
    const response = id
      ? await this.api.events(id, this.lastId, signal)
      : await this.api.submit(request, idempotencyKey, signal);
    this.job.id ??= response.headers.get("Location").split("/").pop();
    this.onGoing();
    return response;
  }

  async pause(trouble) {
    const seconds = trouble.retryAfter ?? Math.min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** this.failures);
    this.failures += 1;
    this.onPause(trouble, seconds);
    const over = new AbortController();
    await new Promise((resolve) => {
      const options = { once: true, signal: over.signal };
      setTimeout(resolve, seconds * 1000);
      this.stopping.signal.addEventListener("abort", resolve, options);
      if (trouble instanceof Unreachable) addEventListener("online", resolve, options);
    });
    over.abort();
  }
}
