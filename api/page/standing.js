// How a run stands, in words.

import { inWords, Unreachable } from "./problem.js";
import { count, duration, pace, roughly, stateOf } from "./words.js";

/** The state, and what is to be said of it beyond that. */
export function standing(run) {
  if (run.pause) return [pauseOf(run.pause), secondsUntil(run.pause.until, "trying again in ", "trying again")];
  if (run.canceling && !run.over) return ["Canceling", ""];
  switch (run.state) {
    case "sending":
      return ["Sending", ""];
    case "queued":
      return [`Number ${run.position} in the queue`, secondsUntil(run.startsAt, "starts in about ", "starts soon")];
    case "claimed":
      return ["Starting", "a worker has it"];
    case "running":
      return ["Writing", written(run)];
    case "ended":
      return [stateOf(run.job), ending(run.job)];
    case "dropped":
      return ["Canceled", ""];
    default:
      if (run.id) return ["Stopped", ""];
      return ["Not accepted", run.error.errors?.length ? "correct what is marked above" : ""];
  }
}

function pauseOf({ error }) {
  return error instanceof Unreachable ? "Connection lost" : "Waiting";
}

function secondsUntil(time, before, otherwise) {
  if (time === null) return "";
  const seconds = (time - Date.now()) / 1000;
  return seconds > 0 ? before + roughly(seconds) : otherwise;
}

function written({ attempt, progress, startedAt }) {
  const again = attempt > 1 ? "from the beginning, since its worker was lost" : "";
  const tokens = progress ? `${progress.tokens} of ${count(progress.max_new_tokens, "token")}` : "";
  return joined(tokens, progress && pace(progress.tokens, (progress.at - startedAt) / 1000), again);
}

function ending({ usage, metrics }) {
  const tokens = usage?.completion_tokens;
  if (!tokens) return "";
  const first = metrics.ttft_s !== null && `first token after ${duration(metrics.ttft_s)}`;
  return joined(count(tokens, "token"), first, pace(tokens, metrics.generate_s));
}

function joined(...parts) {
  return parts.filter(Boolean).join(" · ");
}

/** What went wrong, or null; also what a pause waits for. */
export function trouble(run) {
  const failure = run.job?.error;
  if (failure && run.job.status !== "canceled") return inWords({ ...failure, message: failure.detail });
  const error = run.error ?? run.pause?.error;
  if (!error || error.errors?.length) return null; // The form shows what is wrong with a field.
  // A connection that breaks in the middle of a text is mostly back at once: the line above the text says it.
  const isBrief = error instanceof Unreachable && run.id && !run.error;
  return isBrief ? null : inWords(error);
}
