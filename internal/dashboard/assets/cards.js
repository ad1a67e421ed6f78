// The smaller tables: memory, loops, application, turnover, traffic, closes, handshakes.
import { $, el, facts, keyed, say } from './dom.js';
import { bytes, count, millis, percent, plural, rate } from './format.js';

/** What close codes mean, as the protocol has it. */
const codes = {
  0: 'no close frame',
  1000: 'done',
  1001: 'going away',
  1002: 'protocol error',
  1003: 'binary where JSON is spoken',
  1007: 'bad UTF-8',
  1009: 'too big',
  1011: 'internal error',
  1013: 'try again later',
  4000: 'invalid hello',
  4001: 'no hello',
  4002: 'hello too late',
  4003: 'unauthorized',
  4100: 'draining',
  4101: 'slow consumer',
  4102: 'no pong',
  4200: 'idle',
  4201: 'lifetime',
  4202: 'resume window passed',
  4203: 'resume unknown',
  4300: 'taken over',
  4301: 'revoked',
  4302: 'session limit',
  4303: 'policy',
};

const statuses = {
  0: 'other',
  400: 'malformed',
  401: 'no token',
  403: 'origin',
  404: 'path',
  405: 'method',
  408: 'too slow',
  413: 'a body',
  426: 'no upgrade',
  429: 'too many',
  431: 'headers too large',
  500: 'internal error',
  503: 'no room',
  505: 'HTTP/1.0',
};

/** Below so many, what a daemon needs anyway is most of what each of them would seem to need. */
const enough = 1000;

/** What a map counts, sorted, without what has not happened. */
const happened = (map) =>
  Object.entries(map)
    .filter(([, n]) => n > 0)
    .sort();

const sum = (map) => Object.values(map).reduce((a, b) => a + b, 0);

/** Parts of memory, in the order in which they are stacked. */
const partsOf = (m) => {
  const parts = [
    ['session table', m.sessions_bytes, 'blue'],
    ['replay', m.replay_bytes, 'violet'],
    ['connections', m.connections_bytes, 'teal'],
    ['buffers', m.buffers_bytes, 'orange'],
    ['waiting messages', m.waiting_bytes, 'red'],
  ];
  const known = parts.reduce((total, [, n]) => total + (n || 0), 0);
  const whole = Math.max(m.resident_bytes || m.runtime_bytes || 0, known);
  return { parts: [...parts, ['everything else', whole - known, 'grey']], whole };
};

const showMemory = ({ memory: m, sessions, connections }) => {
  const { parts, whole } = partsOf(m);
  const bar = $('memory-bar');
  keyed(
    bar,
    parts,
    ([name]) => name,
    () => el('i'),
    (i, [name, n, color]) => {
      i.className = `fill-${color}`;
      i.style.flexGrow = whole > 0 ? (n || 0) / whole : 0;
      i.title = `${name}: ${bytes(n)}`;
    },
  );
  bar.setAttribute(
    'aria-label',
    `Memory: ${parts.map(([name, n]) => `${name} ${bytes(n)}`).join(', ')}`,
  );
  const each = (n, of, what) => (of >= enough ? `${bytes(n / of)} a ${what}` : '');
  const beside = {
    'session table': each(m.sessions_bytes, sessions.total, 'session'),
    connections: each(m.connections_bytes, connections.open, 'connection'),
  };
  const rows = [
    ...parts.map(([name, n, color]) => [
      name,
      bytes(n),
      beside[name] ?? '',
      `swatch fill-${color}`,
    ]),
    [
      'resident',
      m.resident_bytes > 0 ? bytes(m.resident_bytes) : 'not known',
      each(m.resident_bytes, sessions.total, 'session'),
      'sum',
    ],
    ['of it Go’s runtime', bytes(m.runtime_bytes), '', ''],
    ['of that its live heap', bytes(m.heap_bytes), '', ''],
  ];
  const table = $('memory-table');
  if (!table.tBodies[0]) {
    table.className = 'facts-table';
    table.append(el('tbody'));
  }
  keyed(
    table.tBodies[0],
    rows,
    ([name]) => name,
    ([name, , , tone]) =>
      el(
        'tr',
        { class: tone },
        el('th', { scope: 'row' }, el('i', { 'aria-hidden': 'true' }), name),
        el('td', { class: 'beside' }),
        el('td', { class: 'number' }),
      ),
    (tr, [, value, more]) => {
      say(tr.cells[1], more);
      say(tr.cells[2], value);
    },
  );
};

const showLoops = ({ loops }, rates) => {
  if (loops.length === 0) {
    say($('loops'), 'Connections are served by goroutines of their own: there are no loops.');
    return;
  }
  if (!$('loops').querySelector('ul')) $('loops').replaceChildren(el('ul', { class: 'meters' }));
  keyed(
    $('loops').querySelector('ul'),
    loops.map((l, i) => ({ ...l, i })),
    (l) => String(l.i),
    (l) => {
      const name = `loop ${l.i}`;
      return el(
        'li',
        {},
        el('span', { text: name }),
        el('meter', { min: 0, max: 1, high: 0.8, 'aria-label': `${name} is busy` }),
        el('b'),
        el('small'),
      );
    },
    (li, l) => {
      const busy = rates?.busy[l.i];
      li.children[1].value = busy || 0;
      say(li.children[2], percent(busy));
      say(li.children[3], plural(l.connections, 'connection', 'connections'));
    },
  );
};

const showApplication = ({ application: a }) => {
  const rows = [['kind', a.kind]];
  if (a.kind !== 'echo') {
    rows.push([
      'breaker',
      a.breaker_open ? 'open' : 'closed',
      a.breaker_open ? 'it is not asked' : '',
      a.breaker_open ? 'bad' : '',
    ]);
    rows.push(['requests in flight', count(a.in_flight)]);
    for (const [event, q] of Object.entries(a.latency).sort()) {
      rows.push([
        `${event} takes`,
        millis(q.p50_ms),
        `p99 ${millis(q.p99_ms)}, ${count(q.count)} times`,
      ]);
    }
    for (const [what, n] of happened(a.requests)) {
      rows.push([what.replaceAll('_', ' '), count(n), '', /_ok$/.test(what) ? '' : 'warn']);
    }
    rows.push([
      'ends to be told',
      count(a.ends_waiting),
      a.ends_dropped > 0 ? `${count(a.ends_dropped)} dropped` : '',
      a.ends_dropped > 0 ? 'warn' : '',
    ]);
  }
  rows.push(
    ['messages waiting', count(a.waiting)],
    ['tool calls running', count(a.calls_in_flight)],
  );
  for (const [outcome, n] of happened(a.calls)) rows.push([`calls: ${outcome}`, count(n)]);
  facts($('app'), rows);
};

const showTurnover = ({ sessions: s }, rates) => {
  const refused = happened(s.resume_refused);
  facts($('turnover'), [
    ['created', count(s.created), `${rate(rates?.created)}/s`],
    ...happened(s.ended)
      .sort((a, b) => b[1] - a[1])
      .map(([reason, n]) => [`ended: ${reason}`, count(n)]),
    ['detached', count(s.detached_ever)],
    ['resumed', count(s.resumed), s.taken_over > 0 ? `${count(s.taken_over)} took over` : ''],
    ...refused.map(([why, n]) => [`resume refused: ${why}`, count(n)]),
    ['touched in grace', count(s.revived)],
    ['no room for', count(s.rejected), '', s.rejected > 0 ? 'warn' : ''],
  ]);
};

const showTraffic = ({ traffic: t }, rates) => {
  facts($('traffic'), [
    ['messages in', count(t.messages_in), `${rate(rates?.messagesIn)}/s`],
    ['messages out', count(t.messages_out), `${rate(rates?.messagesOut)}/s`],
    ['bytes in', bytes(t.bytes_in), `${bytes(rates?.bytesIn)}/s`],
    ['bytes out', bytes(t.bytes_out), `${bytes(rates?.bytesOut)}/s`],
    ['frames in', count(t.frames_in)],
    ['frames out', count(t.frames_out)],
    ['pushed', count(t.pushed), t.push_refused > 0 ? `${count(t.push_refused)} refused` : ''],
    ['replayed', count(t.replayed)],
    ['dropped', count(t.dropped), ...(t.dropped > 0 ? ['nobody read them', 'warn'] : [])],
  ]);
};

const showCloses = ({ connections: c }) => {
  const all = [...c.closed].sort((a, b) => b.count - a.count || a.code - b.code);
  facts(
    $('closes'),
    all.length === 0
      ? [['none yet', '']]
      : all.map((x) => [
          `${x.code || '–'} ${codes[x.code] ?? ''}${x.side === 'none' ? '' : `, by ${x.side}`}`,
          count(x.count),
        ]),
  );
};

const showHandshakes = ({ connections: c }) => {
  const refused = Object.entries(c.refused).sort((a, b) => b[1] - a[1]);
  facts($('refused'), [
    ['accepted', count(c.accepted)],
    ['upgraded', count(c.upgraded)],
    ...refused.map(([status, n]) => [`refused: ${status} ${statuses[status] ?? ''}`, count(n)]),
    ...(refused.length > 0 ? [['refused in all', count(sum(c.refused))]] : []),
    ['ended as slow', count(c.slow), '', c.slow > 0 ? 'warn' : ''],
    ['ended for memory', count(c.evicted), '', c.evicted > 0 ? 'warn' : ''],
    ['came without a file free', count(c.starved), '', c.starved > 0 ? 'warn' : ''],
  ]);
};

/** Shows a status and the rates since the one before; null: not known. */
export const show = (status, rates) => {
  showMemory(status);
  showLoops(status, rates);
  showApplication(status);
  showTurnover(status, rates);
  showTraffic(status, rates);
  showCloses(status);
  showHandshakes(status);
};
