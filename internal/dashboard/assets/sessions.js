// The list of sessions: filtered, sorted, a page at a time. It is asked for anew now and then, but
// not under the reader's hand.
import { request, sessionPath } from './api.js';
import { $, el, keyed, say, tell } from './dom.js';
import { bytes, clock, count, plural, span, when } from './format.js';
import { daemonNow, news } from './poll.js';
import { open } from './session.js';

const limit = 50;
const every = 5000; // between two refreshes, at least
const share = 20; // and so many times what the last one took: long lists cost the daemon
const rest = 8000; // how long a pointer over the list keeps it as it is

const view = { state: '', user: '', sort: '', cursors: [''], next: '' };
let asOf = 0; // when the list was made: what it says was so then, and a touch changes it
let nextAt = 0;
let pointedAt = -Infinity;
let pressed = false;
let running = null; // the request that is under way, to be called off

const query = () => {
  const q = new URLSearchParams({ limit });
  const cursor = view.cursors.at(-1);
  for (const [name, value] of Object.entries({
    state: view.state,
    user: view.user,
    sort: view.sort,
    cursor,
  })) {
    if (value) q.set(name, value);
  }
  return q;
};

const make = (s) => {
  const button = el('button', {
    type: 'button',
    class: 'mono id',
    text: s.session_id,
    title: `Open ${s.session_id}`,
  });
  const cell = (c) => el('td', { class: c });
  const tr = el(
    'tr',
    {},
    el('th', { scope: 'row' }, button),
    el('td', {}, el('span', { class: 'badge' })),
    cell('cut'),
    cell('mono'),
    cell(''),
    cell('number'),
    cell('number'),
    cell('number'),
    cell('number'),
  );
  tr.addEventListener('click', () => {
    if (getSelection().isCollapsed) open(s.session_id);
  });
  return tr;
};

const update = (tr, s) => {
  const c = tr.cells;
  const badge = c[1].firstChild;
  say(badge, s.state);
  badge.className = `badge ${s.state}`;
  say(c[2], s.user ?? '');
  c[2].title = s.user ?? '';
  say(c[3], s.remote ?? '');
  say(c[4], when(Date.parse(s.created_at), asOf));
  say(c[5], span(Math.max(0, asOf - Date.parse(s.last_activity)) / 1000));
  const left = s.deadline ? (Date.parse(s.deadline) - asOf) / 1000 : null;
  say(c[6], left === null ? 'never' : left > 0 ? span(left) : 'due');
  say(c[7], s.in_flight || '');
  const buffered = (s.queued_bytes ?? 0) + (s.replay_bytes ?? 0);
  say(c[8], buffered > 0 ? bytes(buffered) : '');
};

const render = (list) => {
  const shown = list?.sessions ?? [];
  view.next = list?.next_cursor ?? '';
  asOf = daemonNow();
  keyed($('rows'), shown, (s) => s.session_id, make, update);
  $('page-back').disabled = view.cursors.length === 1;
  $('page-next').disabled = !view.next;
  const page = view.cursors.length;
  const what = [view.state, view.user && `of ${view.user}`].filter(Boolean).join(' ');
  say(
    $('page-text'),
    shown.length === 0
      ? `No sessions${what ? ` that are ${what}` : ''}${page > 1 ? ' on this page' : ''}.`
      : `Page ${count(page)}, ${plural(shown.length, 'session', 'sessions')}, as of ${clock(asOf)}`,
  );
};

const load = async () => {
  running?.abort();
  const mine = (running = new AbortController());
  const begun = performance.now();
  try {
    const list = await request('GET', `v1/sessions?${query()}`, {
      signal: mine.signal,
      patience: 30_000,
    });
    if (mine !== running) return;
    tell($('sessions-error'), '');
    render(list);
  } catch (e) {
    if (mine !== running || e.name === 'AbortError') return;
    tell($('sessions-error'), e.message);
  } finally {
    if (mine === running) running = null;
    const took = performance.now() - begun;
    nextAt = performance.now() + Math.max(every, share * took);
  }
};

const restart = () => {
  view.cursors = [''];
  view.next = '';
  load();
};

const isHeld = () => {
  const selection = getSelection();
  return (
    pressed ||
    document.querySelector('dialog[open]') !== null ||
    performance.now() - pointedAt < rest ||
    (!selection.isCollapsed && $('rows').contains(selection.anchorNode))
  );
};

/** Sorts by a column; again: the other way around; once more: as the daemon likes it best. */
const sortBy = (name) => {
  view.sort = view.sort === name ? `-${name}` : view.sort === `-${name}` ? '' : name;
  for (const th of document.querySelectorAll('th[data-sort]')) {
    const of = th.dataset.sort;
    const orders = ['ascending', 'descending'];
    if (of === 'last_activity') orders.reverse(); // whoever was active first is idle the longest
    const order = orders[[of, `-${of}`].indexOf(view.sort)];
    if (order) th.setAttribute('aria-sort', order);
    else th.removeAttribute('aria-sort');
  }
  restart();
};

/** Lists the sessions of a user. */
export const listUser = (user) => {
  $('filter-user').value = user;
  view.user = user;
  $('sessions').scrollIntoView();
  restart();
};

const find = async (e) => {
  e.preventDefault();
  const id = $('find-id').value.trim();
  if (!id) return;
  try {
    await request('GET', sessionPath(id));
    tell($('sessions-error'), '');
    open(id);
  } catch (problem) {
    tell($('sessions-error'), problem.message);
  }
};

const filter = (e) => {
  e?.preventDefault();
  view.state = $('filter-state').value;
  view.user = $('filter-user').value.trim();
  restart();
};

/** Makes the list work. */
export const start = () => {
  $('find').addEventListener('submit', find);
  $('filter').addEventListener('submit', filter);
  $('filter-state').addEventListener('change', filter);
  for (const th of document.querySelectorAll('th[data-sort]')) {
    th.querySelector('button').addEventListener('click', () => sortBy(th.dataset.sort));
  }
  $('page-next').addEventListener('click', () => {
    // A cursor leads on once, however fast the button is pressed.
    if (view.next) view.cursors.push(view.next);
    else if (running) return;
    view.next = '';
    load();
  });
  $('page-back').addEventListener('click', () => {
    if (view.cursors.length > 1) view.cursors.pop();
    view.next = ''; // the one that is known leads on from elsewhere
    load();
  });
  $('rows').addEventListener('pointermove', () => {
    pointedAt = performance.now();
  });
  $('rows').addEventListener('pointerleave', () => {
    pointedAt = -Infinity;
  });
  $('rows').addEventListener('pointerdown', () => {
    pressed = true;
  });
  addEventListener('pointerup', () => {
    pressed = false;
  });
  addEventListener('pointercancel', () => {
    pressed = false;
  });
  $('session-dialog').addEventListener('close', () => {
    nextAt = 0;
  });
  news.addEventListener('status', ({ detail }) => {
    // An empty list that should not be is asked for sooner.
    const all =
      $('auto').checked && view.state === '' && view.user === '' && view.cursors.length === 1;
    if (all && $('rows').rows.length === 0 && detail.status.sessions.total > 0) nextAt = 0;
    const isDue = performance.now() >= nextAt && !document.hidden;
    if (isDue && running === null && (nextAt === 0 || ($('auto').checked && !isHeld()))) load();
  });
  news.addEventListener('back', ({ detail }) => {
    if (detail.restarted) restart();
  });
};
