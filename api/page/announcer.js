// What a screen reader says by itself: changes of state, and the text once it is whole.

import { byId } from "./elements.js";
import { standing, trouble } from "./standing.js";

export class Announcer {
  constructor() {
    this.said = "";
  }

  /** Says nothing twice: texts arrive many times a second, and clocks tick. */
  follow(run) {
    const [state, more] = standing(run);
    const words = trouble(run);
    if (run.state === "refused" && !words) return this.say(`${state}, ${more}`);
    const message = words ? `${words.title} ${words.remedy}` : run.state === "ended" ? `${state}. ${run.text}` : state;
    if (message !== this.said) this.say(message);
  }

  say(message) {
    this.said = message;
    byId("announcer").textContent = message;
  }
}
