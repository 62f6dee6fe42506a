// A plot of the last hour: steps, one for each interval, on a scale of its own.

import { History } from "./host.js";
import { rate, show } from "./text.js";

const SVG = "http://www.w3.org/2000/svg";
const HEIGHT = 32;

/** A plot in this cell. */
export class Plot {
  #image = document.createElementNS(SVG, "svg");
  #area = document.createElementNS(SVG, "path");
  #line = document.createElementNS(SVG, "path");
  #peak = document.createElement("span");

  constructor(cell, severity) {
    this.#image.setAttribute("viewBox", `0 0 ${History.STEPS} ${HEIGHT}`);
    this.#image.setAttribute("preserveAspectRatio", "none");
    this.#image.setAttribute("role", "img");
    this.#image.setAttribute("class", severity);
    this.#area.setAttribute("class", "area");
    this.#line.setAttribute("class", "line");
    this.#image.append(this.#area, this.#line);
    this.#peak.className = "peak quiet";
    cell.append(this.#image, this.#peak);
  }

  /** Draws the logs of each interval of so many seconds. */
  draw(logs, seconds) {
    const most = logs.reduce((most, value) => Math.max(most, value), 0);
    const begin = History.STEPS - logs.length;
    // A pixel is left above and beneath for the line.
    const height = (value) => (HEIGHT - 1 - (value / Math.max(most, 1)) * (HEIGHT - 2)).toFixed(2);
    const steps = logs.map((value, at) => `V${height(value)}H${begin + at + 1}`).join("");
    const line = logs.length === 0 ? "" : `M${begin} ${height(logs[0])}${steps}`;
    this.#line.setAttribute("d", line);
    this.#area.setAttribute("d", line && `M${begin} ${HEIGHT}${steps}V${HEIGHT}Z`);
    const text = most === 0 ? "none" : `at most ${rate(most / seconds)} a second`;
    this.#image.setAttribute("aria-label", `last hour: ${text}`);
    show(this.#peak, most === 0 ? "" : `max ${rate(most / seconds)}/s`);
  }
}
