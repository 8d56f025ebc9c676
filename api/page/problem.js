// What can go wrong between this page and the service, in plain words with a remedy.

const GATEWAY = [502, 503, 504];

/** An answer that is a refusal: RFC 9457's members, or what could be made of another body. */
export class Refused extends Error {
  constructor(status, problem, retryAfter) {
    super(problem.detail || problem.title || `HTTP ${status}`);
    this.status = status;
    this.code = problem.code ?? "";
    this.errors = problem.errors ?? [];
    this.requestId = problem.request_id ?? "";
    this.retryAfter = retryAfter;
  }

  static async from(response) {
    const problem = await response.json().catch(() => ({}));
    const seconds = Number.parseInt(response.headers.get("Retry-After") ?? "", 10);
    return new Refused(response.status, problem, Number.isFinite(seconds) ? seconds : null);
  }

  /** Whether the same request may be taken a little later. */
  get passes() {
    return this.status === 429 || GATEWAY.includes(this.status);
  }
}

/** No answer, or one that broke off. */
export class Unreachable extends Error {
  retryAfter = null;
  passes = true;
}

const WORDS = {
  queue_full: ["The queue is full.", "Nothing was recorded. There should be room soon."],
  no_model: ["No model is served yet.", "As soon as a worker has started, this goes on by itself."],
  busy: ["Too many clients wait at this server.", "A place should be free in a moment."],
  draining: ["The server is restarting.", "Another one takes over in a moment."],
  store_unavailable: [
    "The service cannot reach its job store.",
    "Its operator finds the reason in the log. Nothing is sent twice.",
  ],
  store_broken: ["The job store is damaged.", "Its operator finds the key that was overwritten in the log."],
  prompt_too_long: ["The prompt is too long for this model.", "Shorten it."],
  invalid_parameter: ["The service cannot take this request.", "Correct what is marked and generate again."],
  payload_too_large: ["The prompt is too large to send.", "Shorten it."],
  job_not_found: ["There is no such job.", "It may belong to another key. Generate again."],
  gone: ["This job is no longer kept.", "Generate again to have a new one."],
  worker_lost: [
    "Three workers were lost with this job.",
    "Generate again. If that fails too, tell whoever runs the service.",
  ],
  model_unavailable: ["No worker with this model came in time.", "Start one, then generate again."],
  deadline_exceeded: ["The time for this job was over.", "Generate again."],
  expired: ["The time for this job was over before it began.", "Generate again."],
};

const WORDS_BY_STATUS = {
  401: ["The service wants an API key.", "Enter one above and generate again."],
  403: ["This key may not do that.", "Use another key."],
  429: ["Too many requests.", "The next one is sent when the service allows it."],
  500: ["The service made a mistake.", "Generate again. If it stays so, tell whoever runs it the request's id."],
  502: ["The service does not answer.", "It may be restarting."],
  503: ["The service cannot do this now.", "It may be restarting."],
  504: ["The service did not answer in time.", "It may be overloaded."],
};

/** {title, remedy, detail} of any error that the functions here or in api.js raise. */
export function inWords(error) {
  if (error instanceof Unreachable) {
    return {
      title: "The service cannot be reached.",
      remedy: "Check that it runs and that you are connected. A job that was taken goes on meanwhile.",
      detail: "",
    };
  }
  const [title, remedy] = WORDS[error.code] ?? WORDS_BY_STATUS[error.status] ?? [error.message, ""];
  const detail = error.message === title || error.errors?.length ? "" : error.message;
  const request = error.requestId ? `Request ${error.requestId}` : "";
  return { title, remedy, detail: [detail, request].filter(Boolean).join(" – ") };
}
