// A job's JSON over the page. A new tab could not send the key; and there it would be on one line.

import { byId } from "./elements.js";
import { inWords } from "./problem.js";

export class JobSheet {
  constructor(api, { onCopy }) {
    this.api = api;
    this.dialog = byId("job-sheet");
    byId("job-sheet-close").addEventListener("click", () => this.dialog.close());
    byId("job-sheet-copy").addEventListener("click", (event) =>
      onCopy(event.currentTarget, byId("job-sheet-text").textContent),
    );
  }

  get isOpen() {
    return this.dialog.open;
  }

  /** In place of following a link, unless that is to open elsewhere. */
  async open(event, id) {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    byId("job-sheet-title").textContent = id;
    byId("job-sheet-text").textContent = "…";
    this.dialog.showModal();
    byId("job-sheet-text").textContent = await this.read(id);
  }

  async read(id) {
    try {
      return JSON.stringify(await this.api.job(id), null, 2);
    } catch (error) {
      const { title, remedy } = inWords(error);
      return `${title} ${remedy}`;
    }
  }
}
