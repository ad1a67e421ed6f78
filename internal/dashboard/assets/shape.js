// The shape of a status, which the other modules rely on. Another version of the daemon than the
// one that this page came from may have taken its place: what it does not know is not there, and
// is said to be unknown rather than 0.
import { Problem } from './api.js';

/** What is an object or a list, and so must be there to be looked into. */
const blank = {
  sessions: { ended: {}, resume_refused: {} },
  expiry: { lateness: {}, lateness_buckets: [], sweep: {}, wheel: { levels: [] } },
  connections: { refused: {}, closed: [] },
  traffic: {},
  application: { calls: {}, requests: {}, latency: {} },
  memory: {},
  loops: [],
};

const isObject = (v) => typeof v === 'object' && v !== null && !Array.isArray(v);

/** What came, with what of a pattern is missing or something else. */
const fill = (pattern, came) => {
  if (Array.isArray(pattern)) return Array.isArray(came) ? came.filter(isObject) : [];
  const all = isObject(came) ? { ...came } : {};
  for (const [name, inner] of Object.entries(pattern)) all[name] = fill(inner, all[name]);
  return all;
};

/** The status that an answer is; a problem where it is none. */
export const statusOf = (answer) => {
  const is =
    isObject(answer?.sessions) &&
    typeof answer.uptime_s === 'number' &&
    [answer.now, answer.started_at].every((t) => Date.parse(t) > 0);
  if (!is) throw new Problem('What answers is not a Curfew daemon.', 0, 'no_status');
  return fill(blank, answer);
};
