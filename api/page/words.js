// Numbers and states, as one says them.

const GAP = "\u00a0"; // A number and its unit stay on one line.

/** "0.25 s", "12 s", "3 min". */
export function duration(seconds) {
  if (seconds < 1) return `${seconds.toFixed(2)}${GAP}s`;
  if (seconds < 10) return `${seconds.toFixed(1)}${GAP}s`;
  return roughly(seconds);
}

/** Of an estimate, which is not known to the tenth. */
export function roughly(seconds) {
  return seconds < 120 ? `${Math.ceil(seconds)}${GAP}s` : `${Math.round(seconds / 60)}${GAP}min`;
}

export function count(number, one, many = `${one}s`) {
  return `${number.toLocaleString("en")} ${number === 1 ? one : many}`;
}

/** Null where nothing came, or in no measurable time. */
export function pace(tokens, seconds) {
  if (!tokens || !seconds) return null;
  const rate = tokens / seconds;
  return `${rate < 10 ? rate.toFixed(1) : Math.round(rate).toLocaleString("en")}${GAP}tokens/s`;
}

/** The state of a finished job, and how much there is of it. */
export function outcome(job) {
  const tokens = job.usage?.completion_tokens;
  return tokens ? `${stateOf(job)}, ${count(tokens, "token")}` : stateOf(job);
}

const REASONS = {
  length: "at the length asked for",
  eos: "by the model",
  stop: "at a stop string",
};

export function whyEnded(job) {
  return REASONS[job.result?.[0]?.finish_reason] ?? "";
}

const STATES = {
  queued: "Queued",
  running: "Writing",
  succeeded: "Done",
  failed: "Failed",
  canceled: "Canceled",
  expired: "Expired",
};

export function stateOf(job) {
  return STATES[job.status] ?? job.status;
}
