// Server-sent events from the body of a response. EventSource can neither POST nor send a key.

import { Unreachable } from "./problem.js";

/** The server says something every 15 seconds at least: a connection that is silent for longer is dead. */
const SILENCE_MS = 40_000;

/**
 * {name, data, id, retry} for each event, data parsed from JSON; a comment is an event without a name.
 * Ends where the body ends. Raises Unreachable where it breaks off or falls silent.
 */
export async function* readEvents(response) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  try {
    let pending = "";
    let lines = [];
    for (;;) {
      const { value, done } = await withinSilence(reader.read());
      if (done) return;
      const complete = (pending + value).split(/\r?\n/);
      pending = complete.pop();
      for (const line of complete) {
        if (line !== "") {
          lines.push(line);
        } else if (lines.length) {
          yield parse(lines);
          lines = [];
        }
      }
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}

async function withinSilence(read) {
  let timer;
  const silence = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Unreachable()), SILENCE_MS);
  });
  try {
    return await Promise.race([read, silence]);
  } catch {
    throw new Unreachable();
  } finally {
    clearTimeout(timer);
  }
}

function parse(lines) {
  const fields = { event: "", data: "", id: "", retry: "" };
  for (const line of lines) {
    const colon = line.indexOf(":");
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (name === "data") fields.data += (fields.data && "\n") + value;
    else if (name in fields) fields[name] = value;
  }
  return {
    name: fields.event,
    data: fields.data ? JSON.parse(fields.data) : null,
    id: fields.id,
    retry: Number(fields.retry) || 0,
  };
}
