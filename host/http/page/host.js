// Asks the host, and keeps what it answered: the token, the last hour, and the counts from which rates are made.

/** The host wants a token, or another one. */
export class TokenNeeded extends Error {}

/** There is no answer that can be used, for the reason in its message. */
export class NoAnswer extends Error {}

const PATIENCE = 10_000;
const KEY = "loghost-token";

/** Whether a token is known. It is kept until the tab is closed. */
export function hasToken() {
  return sessionStorage.getItem(KEY) !== null;
}

/** Uses this token from now on. */
export function useToken(token) {
  sessionStorage.setItem(KEY, token);
}

/** What the host answers at this path. */
export function ask(path) {
  return answer("GET", path, (answer) => answer.json());
}

/** Asks the host to do something; what is wrong with that is an error. */
export function tell(path) {
  return answer("POST", path, (answer) => answer.text());
}

async function answer(method, path, read) {
  const token = sessionStorage.getItem(KEY);
  const headers = token === null ? {} : { authorization: `Bearer ${token}` };
  try {
    const signal = AbortSignal.timeout(PATIENCE);
    const answer = await fetch(path, { method, headers, cache: "no-store", signal });
    if (answer.status === 401) throw new TokenNeeded("it does not know the token");
    if (!answer.ok) throw new NoAnswer(`it answers ${answer.status}, ${(await answer.text()).trim()}`);
    return await read(answer);
  } catch (error) {
    if (error instanceof TokenNeeded || error instanceof NoAnswer) throw error;
    throw new NoAnswer(error.name === "TimeoutError" ? "it is too slow" : "it cannot be reached");
  }
}

/** What consumers have received in the last hour: for each severity, the logs of each step of time. */
export class History {
  static STEPS = 360;
  seconds = 10;
  #asked = -Infinity;
  #consumers = new Map();

  /** Asks for it, unless no step can have ended since. */
  async update() {
    if (performance.now() - this.#asked < this.seconds * 1000) return;
    const { seconds, consumers } = await ask("/api/history");
    this.#asked = performance.now();
    this.seconds = seconds;
    this.#consumers = new Map(consumers.map(({ name, received }) => [name, received]));
  }

  /** The logs of each step that has ended, the last one at the end. */
  of(consumer, severity) {
    return this.#consumers.get(consumer)?.[severity]?.slice(0, -1) ?? [];
  }
}

/** Counts of the last seconds, and what they say of the rate. */
export class Rates {
  static WINDOW = 10_000;
  #samples = [];

  /** Takes in counts of now, by name. */
  add(counts) {
    const now = performance.now();
    const last = this.#samples.at(-1);
    // Counts that go down are of another run.
    if (last && Object.keys(counts).some((name) => counts[name] < last.counts[name])) this.#samples = [];
    this.#samples.push({ now, counts });
    while (this.#samples.length > 2 && now - this.#samples[0].now > Rates.WINDOW) this.#samples.shift();
  }

  /** How much a count has grown in a second; null if that is not known yet. */
  of(name) {
    if (this.#samples.length < 2) return null;
    const [first, last] = [this.#samples[0], this.#samples.at(-1)];
    return ((last.counts[name] - first.counts[name]) * 1000) / (last.now - first.now);
  }
}
