// Puts the parts together.

import { Announcer } from "./announcer.js";
import { Api } from "./api.js";
import { copyFrom } from "./clipboard.js";
import { CodePanel } from "./code_panel.js";
import { Composer } from "./composer.js";
import { byId } from "./elements.js";
import { Fleet } from "./fleet.js";
import { History } from "./history.js";
import { JobSheet } from "./job_sheet.js";
import { KeyField } from "./key_field.js";
import { Output } from "./output.js";
import { Run } from "./run.js";

const TICK_MS = 250;

let active = null; // The run that is under way.
let shown = null; // The run that is seen.
let known = null; // Fingerprints of the models that /info has told of.

const announcer = new Announcer();
const keyField = new KeyField({
  onChange: () => {
    fleet.look();
    showCode();
  },
});
const api = new Api(() => keyField.value);
const jobSheet = new JobSheet(api, { onCopy: copy });
const openJob = (event, id) => jobSheet.open(event, id);
const composer = new Composer({ onSubmit: generate, onEdit: showCode });
const codePanel = new CodePanel({ onCopy: copy });
const output = new Output({ onCancel: cancel, onAgain: again, onCopy: copy, onJob: openJob });
const history = new History({ onChoose: choose, onJob: openJob });
const fleet = new Fleet(api, {
  isBusy: () => Boolean(active),
  onNews: hear,
  onRefused: refused,
});

function generate() {
  if (active) return;
  const request = composer.read();
  if (!request) {
    composer.mark(composer.problems);
    announcer.say(composer.problems.map(({ message }) => message).join(" "));
    return;
  }
  composer.edited = false;
  const run = new Run(api, { request }, changed);
  show(run);
  follow(run);
}

function follow(run) {
  active = run;
  composer.busy = true;
  fleet.look();
  run.follow();
  changed(run);
}

function changed(run) {
  history.show(run);
  if (run === shown) {
    output.show(run);
    announcer.follow(run);
  }
  if (run.over && run === active) {
    active = null;
    composer.busy = false;
    fleet.look();
    if (run.error) refused(run.error);
  }
  history.mark(shown);
}

function refused(error) {
  if (error.status === 401) keyField.ask();
  if (error.errors?.length) composer.mark(error.errors);
}

function show(run) {
  shown = run;
  output.show(run);
  history.mark(run);
}

function choose(run) {
  if (!composer.edited) fill(run.request);
  show(run);
  byId("text").focus();
}

function cancel() {
  active?.cancel();
}

function again(run) {
  if (active) return;
  fill({ ...run.request, seed: run.job.parameters.seed });
  generate();
  byId("generate").focus(); // The button that was pressed is gone.
}

function fill(request) {
  composer.fill(request);
  showCode();
}

function showCode() {
  const request = composer.read();
  if (request) codePanel.show(request, Boolean(keyField.value));
}

async function copy(button, text) {
  announcer.say(await copyFrom(button, text));
}

/** Models come and go; what /health names and /info has not yet told of is to be learned. */
async function hear({ models }) {
  const isNew = !known || models.some((each) => !known.has(each.fingerprint));
  if (isNew) await learn();
}

async function learn() {
  const { models, version } = await api.info();
  known = new Set(models.map((each) => each.fingerprint));
  byId("version").textContent = `NeoServe ${version}`;
  composer.offer(models);
  byId("served").textContent = models.length === 1 ? models[0].model : "";
  showCode();
}

/** After a reload: what was there, and what still runs goes on. */
function restore() {
  for (const { request, id, job } of History.kept().reverse()) {
    const run = new Run(api, { request, id, job }, changed);
    history.show(run);
    if (!job) follow(run);
    shown = run;
  }
  if (shown) {
    fill(shown.request);
    show(shown);
  }
}

document.addEventListener("keydown", (event) => {
  if (jobSheet.isOpen || event.isComposing) return;
  if (event.key === "Escape") cancel();
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) generate();
});
setInterval(() => output.showState(), TICK_MS);
showCode();
fleet.look();
restore();
if (matchMedia("(pointer: fine)").matches && !shown) byId("prompt").focus();
