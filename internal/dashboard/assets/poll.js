// Asks for the status: once a second while somebody looks, seldom while nobody does, and less and
// less often while nobody answers.
import { request } from './api.js';
import { statusOf } from './shape.js';
import { whenToken } from './token.js';

const every = 1000;
const everyHidden = 10_000;
const everyGone = 10_000; // at most, while the daemon does not answer
const patience = 5000; // milliseconds that a status may take

let timer = 0;
let last = null; // the newest status
let lastAt = 0; // when it came, by performance.now
let failures = 0;
let busy = false;

/** Tells of what comes: `status`, `gone`, `back`. */
export const news = new EventTarget();

const announce = (type, detail) => news.dispatchEvent(new CustomEvent(type, { detail }));

/** The newest status; null before the first. */
export const status = () => last;

/** How old the newest status is, in milliseconds. */
export const age = () => performance.now() - lastAt;

/** What the daemon's clock shows at the moment, in milliseconds since 1970. */
export const daemonNow = () => (last ? Date.parse(last.now) + age() : Date.now());

/** Whether the daemon answered the last time. */
export const isThere = () => failures === 0 && last !== null;

const isRestart = (before, after) =>
  before !== null && (before.started_at !== after.started_at || before.node !== after.node);

const arrived = (next) => {
  const restarted = isRestart(last, next);
  const before = last;
  last = next;
  lastAt = performance.now();
  const was = failures;
  failures = 0;
  if (before && (was > 0 || restarted)) announce('back', { restarted, status: next });
  announce('status', { status: next, restarted });
};

const failed = (problem) => {
  failures++;
  // Without a token there is nothing to try again by oneself.
  const wait =
    problem.status === 401
      ? Infinity
      : Math.min(everyGone, every * 2 ** (failures - 1)) * (0.8 + 0.4 * Math.random());
  announce('gone', { problem, retryAt: performance.now() + wait, last });
  return wait;
};

const schedule = (wait) => {
  clearTimeout(timer);
  if (wait < Infinity) timer = setTimeout(pollNow, wait);
};

/** Asks at once. */
export const pollNow = async () => {
  if (busy) return;
  busy = true;
  clearTimeout(timer);
  const begun = performance.now();
  let wait;
  try {
    arrived(statusOf(await request('GET', 'v1/status', { patience })));
    wait = (document.hidden ? everyHidden : every) - (performance.now() - begun);
  } catch (e) {
    wait = failed(e);
  } finally {
    busy = false;
  }
  schedule(Math.max(wait, every / 4));
};

/** Begins to ask. */
export const start = () => {
  document.addEventListener('visibilitychange', () => {
    if (!document.hidden) pollNow();
  });
  addEventListener('online', pollNow);
  whenToken(pollNow);
  pollNow();
};
