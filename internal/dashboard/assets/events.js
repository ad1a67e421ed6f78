// What happens to sessions, the newest first: at most so many, drawn a few times a second however
// many come. Nobody listens while nobody looks.
import { $, el, say } from './dom.js';
import { clock, count } from './format.js';
import { daemonNow, news } from './poll.js';
import { open } from './session.js';
import { listen } from './stream.js';

const kept = 200;
const drawEvery = 250;
const waitMax = 10_000;

let events = []; // the newest first
let fresh = []; // not drawn yet, the oldest first; bounded too
let unseen = 0; // came while it was paused
let paused = false;
let controller = null; // of the stream
let failures = 0;
let retry = 0;
let state = 'connecting';
let drawing = 0;
let serial = 0;

const row = (e) => {
  const id = e.session_id ?? '';
  return el(
    'tr',
    { class: e.tone, 'data-key': String(e.serial) },
    el('td', { class: 'mono', text: clock(e.at) }),
    el('td', {}, el('span', { class: `badge ${e.type}`, text: e.type })),
    el(
      'td',
      {},
      id
        ? el('button', {
            type: 'button',
            class: 'mono id',
            text: id,
            title: `Open ${id}`,
            onclick: () => open(id),
          })
        : (e.text ?? ''),
    ),
    el('td', { class: 'cut', text: e.user ?? '', title: e.user ?? '' }),
    el('td', { class: 'mono', text: e.remote ?? '' }),
    el('td', { text: e.reason ?? '' }),
  );
};

const describe = () => {
  const words = [paused ? `paused, ${count(unseen)} since` : state.replace(/\.$/, '')];
  if (events.length > 0) words.push(`the newest ${count(events.length)}`);
  say($('event-text'), words.join('; '));
};

const draw = () => {
  drawing = 0;
  if (!paused && fresh.length > 0) {
    const body = $('event-rows');
    const added = fresh.splice(0).reverse();
    events = [...added, ...events].slice(0, kept);
    body.prepend(...added.map(row));
    while (body.rows.length > kept) body.deleteRow(-1);
  }
  describe();
};

const soon = () => {
  drawing ||= setTimeout(draw, drawEvery);
};

const add = (e) => {
  fresh.push({ serial: ++serial, ...e });
  if (fresh.length > kept) fresh.splice(0, fresh.length - kept);
  if (paused) unseen++;
  soon();
};

const remark = (type, text) => add({ type, text, at: daemonNow(), tone: 'remark' });

const onEvent = (type, data) => {
  let e;
  try {
    e = JSON.parse(data);
  } catch {
    return;
  }
  if (type === 'lost')
    remark('lost', `${count(e.lost)} events were missed: this page read too slowly`);
  else add({ ...e, type, at: Date.parse(e.at) });
};

const setState = (text) => {
  state = text;
  describe();
};

const connect = async () => {
  clearTimeout(retry);
  controller?.abort();
  if (document.hidden) return;
  const mine = (controller = new AbortController());
  const type = $('event-type').value;
  let why = 'the stream has ended';
  try {
    await listen(
      `v1/events${type ? `?type=${type}` : ''}`,
      mine.signal,
      () => {
        failures = 0;
        setState('listening');
      },
      onEvent,
    );
  } catch (e) {
    if (e.name === 'AbortError') return;
    why = e.message;
    if (e.status === 401) failures = Infinity;
  }
  if (mine !== controller) return;
  failures++;
  setState(why);
  if (failures < Infinity)
    retry = setTimeout(connect, Math.min(waitMax, 1000 * 2 ** (failures - 1)));
};

const pause = () => {
  paused = !paused;
  unseen = 0;
  $('event-pause').setAttribute('aria-pressed', String(paused));
  say($('event-pause'), paused ? 'Go on' : 'Pause');
  draw();
};

/** Begins to listen. */
export const start = () => {
  $('event-type').addEventListener('change', () => {
    clear();
    connect();
  });
  $('event-pause').addEventListener('click', pause);
  $('event-clear').addEventListener('click', clear);
  document.addEventListener('visibilitychange', () => {
    if (document.hidden) {
      clearTimeout(retry);
      if (controller && state === 'listening')
        remark('away', 'nobody looked at this page: what happened until the next line is not here');
      controller?.abort();
      controller = null;
      state = 'away';
    } else if (controller === null) {
      failures = 0;
      connect();
    }
  });
  // Whoever is back is listened to at once.
  news.addEventListener('back', () => {
    if (state !== 'listening') {
      failures = 0;
      connect();
    }
  });
  // A token that was missing is there.
  news.addEventListener('status', () => {
    if (failures < Infinity) return;
    failures = 0;
    connect();
  });
  connect();
};

function clear() {
  events = [];
  fresh = [];
  unseen = 0;
  $('event-rows').replaceChildren();
  describe();
}
