// The form: what is asked for.

import { byId, make } from "./elements.js";

/** Input of each field of the request. */
const INPUTS = {
  text: byId("prompt"),
  max_new_tokens: byId("length"),
  temperature: byId("temperature"),
  seed: byId("seed"),
  model: byId("model"),
};

const MAX_SEED = Number.MAX_SAFE_INTEGER;

export class Composer {
  constructor({ onSubmit, onEdit }) {
    this.form = byId("composer");
    this.button = byId("generate");
    this.models = [];
    this.edited = false; // Since it was last sent or filled.
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      onSubmit();
    });
    this.form.addEventListener("input", (event) => {
      this.edited = true;
      this.unmark(event.target);
      onEdit();
    });
    INPUTS.model.addEventListener("change", () => {
      INPUTS.max_new_tokens.value = INPUTS.temperature.value = "";
      this.offerDefaults();
      onEdit();
    });
    byId("shortcut").textContent = /Mac|iP/.test(navigator.platform) ? "⌘ ↵" : "Ctrl ↵";
  }

  /** The models of /info; their limits and defaults are the form's. */
  offer(models) {
    this.models = models;
    const names = [...new Set(models.map((each) => each.model))];
    const chosen = INPUTS.model.value;
    INPUTS.model.replaceChildren(...names.map((name) => make("option", name, { value: name })));
    if (names.includes(chosen)) INPUTS.model.value = chosen;
    byId("model-setting").hidden = names.length < 2;
    this.offerDefaults();
  }

  get model() {
    return this.models.find((each) => each.model === INPUTS.model.value);
  }

  offerDefaults() {
    if (!this.model) return;
    const { max_positions, generation_defaults: defaults } = this.model;
    INPUTS.max_new_tokens.max = max_positions;
    INPUTS.max_new_tokens.value ||= defaults.max_length;
    INPUTS.temperature.value ||= defaults.do_sample ? defaults.temperature : 0;
  }

  /** The request, or null where a field cannot be read; then `problems` says which. */
  read() {
    this.problems = [];
    const text = INPUTS.text.value;
    if (!text) this.problems.push({ field: "text", message: "Write how the text begins." });
    const request = { text };
    const length = this.number("max_new_tokens", Number.isSafeInteger, "a whole number of tokens");
    if (length !== null) request.max_new_tokens = length;
    const temperature = this.number("temperature", Number.isFinite, "a number");
    if (temperature === 0) request.do_sample = false;
    else if (temperature !== null) Object.assign(request, this.sampling(temperature));
    const seed = this.number("seed", isSeed, "a whole number from 0 to 9007199254740991, or nothing for a random one");
    if (seed !== null) request.seed = seed;
    if (new Set(this.models.map((each) => each.model)).size > 1) request.model = INPUTS.model.value;
    return this.problems.length ? null : request;
  }

  sampling(temperature) {
    const { do_sample } = this.model?.generation_defaults ?? { do_sample: true };
    return do_sample ? { temperature } : { do_sample: true, temperature };
  }

  number(field, isRight, wanted) {
    const input = INPUTS[field];
    const text = input.value.trim();
    if (!text && !input.validity.badInput) return null;
    const value = Number(text || Number.NaN);
    if (!isRight(value)) this.problems.push({ field, message: `Enter ${wanted}.` });
    return value;
  }

  fill(request) {
    INPUTS.text.value = request.text;
    INPUTS.max_new_tokens.value = request.max_new_tokens ?? "";
    INPUTS.temperature.value = request.do_sample === false ? 0 : (request.temperature ?? "");
    INPUTS.seed.value = request.seed ?? "";
    if (request.model) INPUTS.model.value = request.model;
    this.edited = false;
    this.offerDefaults();
    Object.values(INPUTS).forEach((input) => this.unmark(input));
  }

  /** Shows what is wrong beside its field, and goes to the first. */
  mark(problems) {
    const own = problems.filter(({ field }) => field in INPUTS);
    for (const { field, message } of own) {
      INPUTS[field].setAttribute("aria-invalid", "true");
      errorOf(INPUTS[field]).textContent = labelled(INPUTS[field], message);
    }
    if (own.length) INPUTS[own[0].field].focus();
  }

  unmark(input) {
    input.removeAttribute("aria-invalid");
    const error = errorOf(input);
    if (error) error.textContent = "";
  }

  set busy(busy) {
    this.button.setAttribute("aria-disabled", String(busy));
  }

  get busy() {
    return this.button.getAttribute("aria-disabled") === "true";
  }
}

function isSeed(value) {
  return Number.isInteger(value) && value >= 0 && value <= MAX_SEED;
}

function errorOf(input) {
  return byId(`${input.id}-error`);
}

function labelled(input, message) {
  return `${input.labels[0].textContent}: ${message}`;
}
