// The services as buttons: each shows or hides the lines of a service, by a `service:` in the search.

import { make, plain } from "./text.js";

const FIELD = /(?:^|\s)service:("[^"]*"|\S+)/i;

export class ServiceFilter {
  #drawn = -1;

  /**
   * @param {HTMLElement} element
   * @param {import("./services.js").Services} services
   * @param {HTMLInputElement} queryBox
   * @param {() => void} changed
   */
  constructor(element, services, queryBox, changed) {
    this.element = element;
    this.services = services;
    this.queryBox = queryBox;
    this.changed = changed;
    element.addEventListener("click", (event) => {
      const target = /** @type {Element} */ (event.target);
      const button = /** @type {HTMLElement | null} */ (target.closest("button"));
      if (button) this.#toggle(services.names[Number(button.dataset.service)]);
    });
  }

  /** The names in the search. */
  get #chosen() {
    const match = FIELD.exec(this.queryBox.value);
    return match ? match[1].replaceAll('"', "").toLowerCase().split(",") : [];
  }

  /** @param {string} name */
  #toggle(name) {
    const wanted = name.toLowerCase();
    const names = this.#chosen.filter((each) => each !== wanted);
    if (names.length === this.#chosen.length) names.push(wanted);
    const list = names.join(",");
    const field = names.length === 0 ? "" : `service:${/\s/.test(list) ? `"${list}"` : list}`;
    const rest = this.queryBox.value.replace(FIELD, "").trim();
    this.queryBox.value = [rest, field].filter(Boolean).join(" ");
    this.changed();
  }

  /** Show a button for each service in use, pressed where the search has its name. */
  draw() {
    const { names, used } = this.services;
    this.element.hidden = !names.some((_, service) => used.has(service));
    if (this.#drawn !== names.length) {
      this.element.replaceChildren(...names.map((name, service) => this.#button(name, service)));
      this.#drawn = names.length;
    }
    const chosen = new Set(this.#chosen);
    names.forEach((name, service) => {
      const button = /** @type {HTMLElement} */ (this.element.children[service]);
      button.setAttribute("aria-pressed", String(chosen.has(name.toLowerCase())));
      button.hidden = !used.has(service);
    });
  }

  /** @param {string} name @param {number} service */
  #button(name, service) {
    const button = /** @type {HTMLButtonElement} */ (make("button", "service"));
    button.type = "button";
    button.dataset.service = String(service);
    button.title = `Only lines of ${plain(name)}`;
    button.append(this.services.sign(service), make("span", "name", plain(name)));
    return button;
  }
}
