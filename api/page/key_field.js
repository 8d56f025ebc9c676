// The API key, for services that want one. It is kept in this tab's storage alone.

import { byId } from "./elements.js";

const KEPT = "neoserve.key";

export class KeyField {
  constructor({ onChange }) {
    this.box = byId("key");
    this.input = byId("key-value");
    this.input.value = sessionStorage.getItem(KEPT) ?? "";
    this.box.hidden = !this.input.value;
    this.input.addEventListener("change", () => {
      if (this.value) sessionStorage.setItem(KEPT, this.value);
      else sessionStorage.removeItem(KEPT);
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
