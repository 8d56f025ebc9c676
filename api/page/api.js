// The service's HTTP interface, as this page uses it.

import { Refused, Unreachable } from "./problem.js";

const JSON_TYPE = "application/json";
const EVENTS_TYPE = "text/event-stream";

/** The service answers within 12 seconds, also of its troubles: who has said nothing by then is not there. */
const PATIENCE_MS = 20_000;

/** Every call raises Refused or Unreachable. `key()` is the API key, or "". */
export class Api {
  constructor(key) {
    this.key = key;
  }

  async info() {
    return this.json("/info");
  }

  async health() {
    return this.json("/health");
  }

  async job(id) {
    return this.json(`/jobs/${id}`);
  }

  async cancel(id) {
    return this.json(`/jobs/${id}`, { method: "DELETE" });
  }

  /** A stream of the job that `request` makes, or has made: the same `idempotencyKey` makes one. */
  async submit(request, idempotencyKey, signal) {
    const headers = { "Content-Type": JSON_TYPE, Accept: EVENTS_TYPE, "Idempotency-Key": idempotencyKey };
    return this.call("/predict", { method: "POST", headers, body: JSON.stringify(request), signal });
  }

  /** A stream of what happened to the job behind the event `after`; from the beginning where it is "". */
  async events(id, after, signal) {
    const headers = { Accept: EVENTS_TYPE, ...(after && { "Last-Event-ID": after }) };
    return this.call(`/jobs/${id}/events`, { headers, signal });
  }

  async json(path, options = {}) {
    const response = await this.call(path, { ...options, headers: { Accept: JSON_TYPE } });
    return response.json().catch(() => {
      throw new Unreachable();
    });
  }

  async call(path, { headers, signal, ...options }) {
    const key = this.key();
    // No header can hold it, and so no service knows it.
    if (!/^[\x21-\x7e]*$/.test(key)) throw new Refused(401, {}, null);
    const all = key ? { ...headers, Authorization: `Bearer ${key}` } : headers;
    const response = await withinPatience(signal, (either) =>
      fetch(path, { ...options, headers: all, signal: either, cache: "no-store" }),
    );
    if (!response.ok) throw await Refused.from(response);
    return response;
  }
}

async function withinPatience(signal, ask) {
  const patience = new AbortController();
  const timer = setTimeout(() => patience.abort(), PATIENCE_MS);
  try {
    return await ask(AbortSignal.any([patience.signal, ...(signal ? [signal] : [])]));
  } catch (error) {
    throw signal?.aborted ? error : new Unreachable();
  } finally {
    clearTimeout(timer);
  }
}
