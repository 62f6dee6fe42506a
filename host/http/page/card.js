// The card of a consumer. It is made once, and what changes in it is changed in place: what somebody has selected, or has
// the focus on, stays.

import { Rates, tell } from "./host.js";
import { Plot } from "./plot.js";
import { count, moment, rate, show, words } from "./text.js";

const SEVERITIES = ["debug", "info", "error", "critical"];
const FINISHED = ["accepted", "rejected", "skipped", "unwanted"];

/** What a template of the page holds, as an element. */
function made(template) {
  return document.getElementById(template).content.firstElementChild.cloneNode(true);
}

/** The card of the consumer of this name. */
export class Card {
  element = made("card");
  #name;
  #rates = new Rates();
  #rows = new Map();
  #deadLetters = "";
  #state = "";

  constructor(name) {
    this.#name = name;
    const title = this.#find("h2");
    title.id = `consumer-${name}`;
    show(title, name);
    this.element.setAttribute("aria-labelledby", title.id);
    this.#find("ol").setAttribute("aria-label", `Last dead letters of ${name}`);
    this.#find("pre").setAttribute("aria-label", `Metric of ${name}`);
    for (const button of this.element.querySelectorAll("button")) {
      button.addEventListener("click", () => this.#request(button.dataset.request, button.textContent));
    }
  }

  #find(selector) {
    return this.element.querySelector(selector);
  }

  /** Asks for something, and says whether that was taken; what comes of it is seen later. */
  async #request(request, label) {
    const what = label.toLowerCase();
    const said = this.#find(".control [role=status]");
    show(said, "");
    const asked = await tell(`/api/consumers/${this.#name}/${request}`).then(
      () => `asked to ${what}`,
      (error) => `not asked to ${what}: ${error.message}`,
    );
    show(said, asked);
  }

  /** Offers what can be asked in this state. */
  #offer(state, isControlled) {
    this.#find(".control").hidden = !isControlled;
    const toggle = this.#find("button");
    // One that has ended can only be tried again, and its dead letters be replayed.
    toggle.hidden = state === "ended";
    toggle.dataset.request = state === "paused" ? "resume" : "pause";
    show(toggle, state === "paused" ? "Resume" : "Pause");
    for (const button of this.element.querySelectorAll("button")) {
      button.setAttribute("aria-label", `${button.textContent} ${this.#name}`);
    }
    // What was asked for has come.
    if (state !== this.#state) show(this.#find(".control [role=status]"), "");
    this.#state = state;
  }

  /** Shows what is known now, as `/api/consumers` has it. */
  update(consumer, history, isControlled) {
    const { state, reason, since, version, deliveries, queue, streams } = consumer;
    this.element.dataset.state = state;
    show(this.#find(".state"), words(state));
    show(this.#find(".about"), `since ${moment(since)}${version === null ? "" : `, version ${version}`}`);
    const why = this.#find(".reason");
    this.#offer(state, isControlled);
    why.hidden = reason === null;
    show(why, reason ?? "");

    const logs = Object.fromEntries(SEVERITIES.map((severity) => [severity, finished(consumer, severity)]));
    logs.total = SEVERITIES.reduce((sum, severity) => sum + logs[severity], 0);
    this.#rates.add(logs);
    const figures = this.#find(".figures");
    figure(figures, "total", count(logs.total));
    figure(figures, "rate", rate(this.#rates.of("total")));
    figure(figures, "queue", count(queue));
    figure(figures, "lag", count(lag(streams)));
    figures.querySelector("[data-figure=lag]").parentElement.hidden = streams.length === 0;
    figure(figures, "hand", count(deliveries.unacknowledged));
    for (const severity of SEVERITIES) {
      if (consumer.severities.includes(severity) || logs[severity] > 0) {
        const { row, plot } = this.#row(severity);
        figure(row, "total", count(logs[severity]));
        figure(row, "rate", rate(this.#rates.of(severity)));
        plot.draw(history.of(this.#name, severity), history.seconds);
      }
    }
    this.#showDeadLetters(consumer);
    this.#showMetric(consumer.metric);
  }

  /** The row of a severity, which is made when there is something to show in it. */
  #row(severity) {
    const known = this.#rows.get(severity);
    if (known) return known;
    const row = made("severity");
    row.dataset.severity = severity;
    show(row.querySelector("th"), severity);
    const entry = { row, plot: new Plot(row.querySelector(".plot"), severity) };
    this.#rows.set(severity, entry);
    const rows = SEVERITIES.filter((name) => this.#rows.has(name)).map((name) => this.#rows.get(name).row);
    this.#find("tbody").replaceChildren(...rows);
    return entry;
  }

  #showDeadLetters({ dead_letters: deadLetters, last_dead_letters: last }) {
    const causes = Object.entries(deadLetters).filter(([, number]) => number > 0);
    this.#find(".dead-letters").hidden = causes.length === 0;
    show(this.#find(".causes"), causes.map(([cause, number]) => `${count(number)} ${words(cause)}`).join(", "));
    const text = JSON.stringify(last);
    if (text === this.#deadLetters) return;
    this.#deadLetters = text;
    this.#find("ol").replaceChildren(...last.map(deadLetter));
  }

  #showMetric(metric) {
    const { text, error } = metric ?? { text: null, error: null };
    const pre = this.#find("pre");
    pre.classList.toggle("quiet", text === null);
    show(pre, text ?? (error === null ? "Not written yet." : `The plugin's metric cannot be written: ${error}`));
  }
}

/** How many logs of a severity are finished, whatever became of them. */
function finished({ counts }, severity) {
  return FINISHED.reduce((sum, outcome) => sum + counts[outcome][severity], 0);
}

/** How far a consumer is behind in all of its streams; null where that is not known of any. */
function lag(streams) {
  const known = streams.map((stream) => stream.lag).filter((lag) => lag !== null);
  return known.length === 0 ? null : known.reduce((sum, lag) => sum + lag);
}

function figure(element, name, text) {
  show(element.querySelector(`[data-figure="${name}"]`), text);
}

function deadLetter({ at, cause, reason, attempts }) {
  const [item, time, why] = ["li", "time", "span"].map((name) => document.createElement(name));
  time.dateTime = new Date(at).toISOString();
  show(time, moment(at));
  why.className = "text";
  show(why, reason);
  const times = attempts > 1 ? ` after ${count(attempts)} attempts` : "";
  item.append(time, ` ${words(cause)}${times}: `, why);
  return item;
}
