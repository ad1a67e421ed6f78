// The last ten minutes, from the statuses that were asked for: bounded, and in memory only.
// Counters become rates. Where the process is another one they begin anew, so nothing is said about
// the time between.

/** Seconds that are kept. */
export const kept = 600;
const samplesMax = 1200;
const recent = 60; // seconds over which lateness is summed up for the tiles
const recentPlot = 10; // and for the plot
const apart = 20; // seconds between two statuses of which no line tells what was between

/** End reasons in the order in which they are shown. */
const reasonsKnown = [
  'idle',
  'lifetime',
  'window',
  'bye',
  'closed',
  'lost',
  'slow',
  'revoked',
  'evicted',
  'policy',
  'drained',
];

/** Those by which time ends a session. */
export const timely = ['idle', 'lifetime', 'window'];

/** The reasons of a status, in a fixed order. */
export const reasonsOf = (status) => {
  const there = Object.keys(status.sessions.ended);
  return [
    ...reasonsKnown.filter((r) => there.includes(r)),
    ...there.filter((r) => !reasonsKnown.includes(r)).sort(),
  ];
};

/**
 * What lateness was between two readings of its buckets: their upper bounds, but never above most,
 * the longest that there ever was.
 */
export const quantilesBetween = (before, after, most = Infinity) => {
  const had = new Map(before.map((b) => [b.up_to_ms, b.count]));
  const counts = after.map((b) => [b.up_to_ms, b.count - (had.get(b.up_to_ms) ?? 0)]);
  const total = counts.reduce((sum, [, n]) => sum + n, 0);
  const at = (q) => {
    let seen = 0;
    for (const [upTo, n] of counts) {
      seen += n;
      if (seen >= q * total) return Math.min(upTo, most);
    }
    return null;
  };
  return total > 0
    ? { count: total, p50: at(0.5), p99: at(0.99), p999: at(0.999) }
    : { count: 0, p50: null, p99: null, p999: null };
};

/** A history of statuses. */
export class History {
  constructor() {
    this.columns = {}; // arrays of one length by name; t is in seconds since 1970
    this.latest = null; // rates at the moment
    this.previous = null;
    this.buckets = []; // of lateness, with when, the newest last
  }

  /** Takes in a status and gives the rates since the one before; null: there is none before. */
  add(status, restarted) {
    const t = Date.parse(status.now) / 1000;
    const times = this.columns.t ?? [];
    if (times.length > 0 && t <= times.at(-1)) {
      // the daemon's clock was set back
      if (this.previous?.now === status.now) return this.latest;
      this.columns = {};
    }
    if (restarted) {
      this.previous = null;
      this.buckets = [];
    }
    if (times.length > 0 && (restarted || t - times.at(-1) > apart)) this.push(t - 0.001, {});
    this.latest = this.ratesSince(this.previous, status);
    this.keepBuckets(status);
    const late = this.latenessOf(recentPlot, status);
    const s = status.sessions;
    this.push(t, {
      live: s.live,
      detached: s.detached,
      grace: s.grace,
      connections: status.connections.open,
      in: this.latest?.messagesIn,
      out: this.latest?.messagesOut,
      p50: late.p50,
      p99: late.p99,
      p999: late.p999,
      ...Object.fromEntries(
        Object.entries(this.latest?.ended ?? {}).map(([reason, r]) => [`ended ${reason}`, r]),
      ),
    });
    this.previous = status;
    return this.latest;
  }

  /** Lateness of the last minute, or of what is known that comes next to it. */
  recentLateness(status) {
    const known = status.uptime_s - this.before(recent).at;
    const seconds = known > recent + apart ? known : Math.min(known, recent);
    return { seconds, ...this.latenessOf(recent, status) };
  }

  latenessOf(seconds, { expiry: { lateness_buckets: buckets, lateness } }) {
    return quantilesBetween(this.before(seconds).buckets, buckets, lateness?.max_ms);
  }

  /** A column; one that is not there has no values. */
  column(name) {
    const all = this.columns[name];
    return all ?? new Array(this.columns.t?.length ?? 0).fill(null);
  }

  keepBuckets(status) {
    const at = status.uptime_s;
    this.buckets.push({ at, buckets: status.expiry.lateness_buckets });
    // One that is older than all that is asked for stays, to hold the others against.
    while (this.buckets.length > 2 && this.buckets[1].at <= at - recent) this.buckets.shift();
  }

  /** Buckets as they were so many seconds ago, or as early as is known. */
  before(seconds) {
    const { at } = this.buckets.at(-1);
    return this.buckets.findLast((b) => b.at <= at - seconds) ?? this.buckets[0];
  }

  push(t, values) {
    const c = this.columns;
    c.t ??= [];
    for (const name of Object.keys(values)) c[name] ??= new Array(c.t.length).fill(null);
    c.t.push(t);
    for (const name of Object.keys(c)) {
      if (name !== 't') c[name].push(Number.isFinite(values[name]) ? values[name] : null);
    }
    let old = 0;
    while (c.t[old] < t - kept || c.t.length - old > samplesMax) old++;
    if (old > 0) for (const name of Object.keys(c)) c[name].splice(0, old);
  }

  ratesSince(before, after) {
    const seconds = before ? after.uptime_s - before.uptime_s : 0;
    if (seconds <= 0) return null;
    const per = (now, then) => Math.max(0, now - (then ?? 0)) / seconds;
    const ended = Object.fromEntries(
      reasonsOf(after).map((r) => [r, per(after.sessions.ended[r], before.sessions.ended[r])]),
    );
    return {
      seconds,
      ended,
      expired: timely.reduce((sum, r) => sum + (ended[r] ?? 0), 0),
      created: per(after.sessions.created, before.sessions.created),
      messagesIn: per(after.traffic.messages_in, before.traffic.messages_in),
      messagesOut: per(after.traffic.messages_out, before.traffic.messages_out),
      bytesIn: per(after.traffic.bytes_in, before.traffic.bytes_in),
      bytesOut: per(after.traffic.bytes_out, before.traffic.bytes_out),
      busy: after.loops.map((l, i) => Math.min(1, per(l.busy_s, before.loops[i]?.busy_s))),
    };
  }
}
