// The API key, for services that want one. It is kept in this tab's storage alone.

import { byId } from "./elements.js";

const KEPT = "neoserve.key";

export class KeyField {
  constructor({ onChange }) {
    this.box = byId("key");
    this.input = byId("key-value");
    this.input.value = kept();
    this.box.hidden = !this.input.value;
    this.input.addEventListener("change", () => {
      keep(this.value);
      this.input.removeAttribute("aria-invalid");
      onChange();
    });
  }

  get value() {
    return this.input.value.trim();
  }

  /** Called when the service has refused the key, or that there is none. */
  ask() {
    const isNew = this.box.hidden;
    this.box.hidden = false;
    this.input.setAttribute("aria-invalid", String(Boolean(this.value)));
    if (isNew) this.input.focus();
  }
}

// The browser may forbid all storage: then a reload forgets the key.

function kept() {
  try {
    return sessionStorage.getItem(KEPT) ?? "";
  } catch {
    return "";
  }
}

function keep(value) {
  try {
    if (value) sessionStorage.setItem(KEPT, value);
    else sessionStorage.removeItem(KEPT);
  } catch {
    // Forbidden.
  }
}
