// The figures that are seen at a glance.
import { $, el, say } from './dom.js';
import { bytes, count, millis, percent, plural, rate, short, span } from './format.js';

const tiles = new Map(); // by label

const tile = (label, value, beside, tone) => {
  let t = tiles.get(label);
  if (!t) {
    const [dd, small] = [el('b'), el('small')];
    const box = el('div', {}, el('dt', { text: label }), el('dd', {}, dd, small));
    t = { box, dd, small };
    tiles.set(label, t);
    $('tiles').append(box);
  }
  say(t.dd, value);
  say(t.small, beside ?? '');
  t.box.className = tone ?? '';
};

/** Shows a status, the rates since the one before (null: not known), and recent lateness. */
export const show = (status, rates, late) => {
  const { sessions: s, expiry: x, connections: c, memory: m } = status;
  const full = s.max > 0 && s.total >= s.max;
  tile(
    'Sessions',
    count(s.total),
    s.max > 0 ? `${percent(s.total / s.max)} of ${short(s.max)}` : s.max === 0 ? 'no limit' : '',
    full ? 'bad' : s.max > 0 && s.total > 0.9 * s.max ? 'warn' : '',
  );
  tile('Live', count(s.live), s.users > 0 ? plural(s.users, 'user', 'users') : '');
  tile('Detached', count(s.detached), 'can be resumed');
  tile('In grace', count(s.grace), 'can be touched');
  const strangers = c.open - s.live - s.grace; // whoever is in grace is connected
  tile('Connections', count(c.open), strangers > 0 ? `no session: ${short(strangers)}` : '');
  tile('Created', `${rate(rates?.created)}/s`, `${short(s.created)} in all`);
  tile('Expired', `${rate(rates?.expired)}/s`, 'ended by time');
  tile(
    'Backlog',
    count(x.backlog),
    x.behind_ms > 0 ? `behind by ${millis(x.behind_ms)}` : x.behind_ms === 0 ? 'not behind' : '',
    x.behind_ms > 1000 ? 'bad' : x.behind_ms > 200 ? 'warn' : '',
  );
  tile('Messages in', `${rate(rates?.messagesIn)}/s`, `${bytes(rates?.bytesIn)}/s`);
  tile('Messages out', `${rate(rates?.messagesOut)}/s`, `${bytes(rates?.bytesOut)}/s`);
  const ever = x.lateness.count > 0;
  const known = span(Math.round(late.seconds));
  tile(
    'Late p50',
    millis(late.p50),
    !ever ? 'none yet' : late.count > 0 ? `last ${known}` : `none in ${known}`,
  );
  tile('Late p99', millis(late.p99), ever ? `ever ${millis(x.lateness.p99_ms)}` : '');
  tile('Late p99.9', millis(late.p999), ever ? `longest ${millis(x.lateness.max_ms)}` : '');
  tile(
    'Early',
    count(x.early),
    x.early > 0 ? 'must be 0: report this' : x.early === 0 ? 'as it must be' : '',
    x.early > 0 ? 'bad' : x.early === 0 ? 'good' : '',
  );
  tile('Memory', bytes(m.resident_bytes || m.runtime_bytes), `heap ${bytes(m.heap_bytes)}`);
  const loops = status.loops.length;
  tile(
    'Loops busy',
    percent(rates && loops > 0 ? Math.max(...rates.busy) : null),
    loops > 1 ? `the busiest of ${count(loops)}` : loops === 1 ? '' : 'there are none',
  );
};
