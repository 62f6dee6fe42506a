// Numbers and times as people read them, and texts of others as texts.

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const tenths = new Intl.NumberFormat("en", { maximumFractionDigits: 1 });
const time = new Intl.DateTimeFormat("en-GB", { timeStyle: "medium" });
const dateAndTime = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "medium" });

/** A number of logs; a dash where it is not known. */
export function count(number) {
  return number === null || number === undefined ? "–" : whole.format(number);
}

/** Logs a second; a dash where that is not known. */
export function rate(perSecond) {
  if (perSecond === null || perSecond === undefined) return "–";
  if (perSecond > 0 && perSecond < 0.05) return "<0.1";
  return (perSecond < 10 ? tenths : whole).format(perSecond);
}

/** When something was, from milliseconds since the Unix epoch: with the day, unless that is today. */
export function moment(milliseconds) {
  const then = new Date(milliseconds);
  const isToday = then.toDateString() === new Date().toDateString();
  return (isToday ? time : dateAndTime).format(then);
}

/** A word of the API as people write it. */
export function words(name) {
  return name.replaceAll("_", " ");
}

/** Has an element show a text: always as text, and only if it changes, so that a selection stays. */
export function show(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
