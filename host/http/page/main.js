// Asks the host again and again while somebody can see the page, and shows the answers. A host that is away is asked until it
// is back.

import { Card } from "./card.js";
import { ask, hasToken, History, NoAnswer, TokenNeeded, useToken } from "./host.js";
import { moment, show, words } from "./text.js";

const EVERY = 2000;
const RUNS = ["consuming", "standing_by"];

const element = (id) => document.getElementById(id);
const cards = new Map();
let history = new History();
let awaySince = null;

/** Asks once, and shows what is answered. */
async function look() {
  const [answer] = await Promise.all([ask("/api/consumers"), history.update()]);
  awaySince = null;
  document.body.classList.remove("away");
  element("token-form").hidden = true;
  show(element("outage"), "");
  show(element("version"), answer.version);
  showConnections(answer.connections);
  showSummary(answer.consumers);
  for (const consumer of answer.consumers) card(consumer.name).update(consumer, history, answer.control);
  dropCards(answer.consumers);
}

function card(name) {
  if (!cards.has(name)) {
    cards.set(name, new Card(name));
    const inOrder = [...cards.keys()].sort();
    element("cards").replaceChildren(...inOrder.map((key) => cards.get(key).element));
  }
  return cards.get(name);
}

/** Drops the cards of consumers that are no more: another run has others. */
function dropCards(consumers) {
  for (const [name, card] of cards) {
    if (!consumers.some((consumer) => consumer.name === name)) {
      card.element.remove();
      cards.delete(name);
    }
  }
}

/** Says whether all run: it is read aloud when it changes, and has no figure that moves. */
function showSummary(consumers) {
  const idle = consumers.filter(({ state }) => !RUNS.includes(state));
  const names = idle.map(({ name, state }) => `${name} (${words(state)})`).join(", ");
  const all = consumers.length === 1 ? "1 consumer" : `${consumers.length} consumers`;
  let text = `${all}: ${consumers.length === 1 ? "it runs" : "all run"}`;
  if (consumers.length === 0) text = "No consumer has begun yet";
  else if (idle.length > 0) text = `${idle.length} of ${all} ${idle.length === 1 ? "does" : "do"} not run: ${names}`;
  show(element("summary"), text);
  element("summary").classList.toggle("bad", idle.length > 0);
  document.title = idle.length > 0 ? `(${idle.length}) loghost` : "loghost";
}

function showConnections(connections) {
  const list = element("connections");
  while (list.children.length > connections.length) list.lastElementChild.remove();
  connections.forEach(({ purpose, up, address, cause, blocked }, at) => {
    const item = list.children[at] ?? list.appendChild(document.createElement("li"));
    const where = up ? `connected to ${address}` : `not connected${cause === null ? "" : `: ${cause}`}`;
    show(item, `${purpose}: ${where}${blocked === null ? "" : `; the broker takes nothing: ${blocked}`}`);
    item.classList.toggle("bad", !up || blocked !== null);
  });
}

/** Says that there is no answer, and since when; what is shown is of then. */
function showOutage(error) {
  awaySince ??= Date.now();
  history = new History();
  document.body.classList.add("away");
  const since = moment(awaySince);
  show(element("outage"), `No answer from the host since ${since}: ${error.message}. What is shown is of then; it is asked again until it answers.`);
}

function askForToken() {
  const form = element("token-form");
  show(element("token-wrong"), hasToken() ? "The host does not know this token." : "");
  if (form.hidden) {
    form.hidden = false;
    element("token").focus();
  }
}

const sleep = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));

/** Is done when somebody can see the page. */
function visible() {
  if (document.visibilityState === "visible") return Promise.resolve();
  return new Promise((done) => document.addEventListener("visibilitychange", done, { once: true })).then(visible);
}

/** Is done when a token is given. */
function tokenGiven() {
  return new Promise((done) => {
    element("token-form").addEventListener(
      "submit",
      (event) => {
        event.preventDefault();
        useToken(element("token").value.trim());
        element("token").value = "";
        done();
      },
      { once: true },
    );
  });
}

element("token-form").addEventListener("submit", (event) => event.preventDefault());
for (;;) {
  await visible();
  try {
    await look();
    await sleep(EVERY);
  } catch (error) {
    if (error instanceof TokenNeeded) {
      askForToken();
      await tokenGiven();
    } else {
      // One that was not foreseen is of an answer that the page does not understand: another version may answer next.
      showOutage(error instanceof NoAnswer ? error : new NoAnswer(`its answer cannot be shown (${error.message})`));
      await sleep(EVERY);
    }
  }
}
