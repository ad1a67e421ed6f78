// The values that the daemon runs with, where each came from, and the level of its log.
import { whyNot } from './access.js';
import { request } from './api.js';
import { $, el, keyed, say } from './dom.js';
import { count } from './format.js';
import { notice } from './header.js';
import { news } from './poll.js';

let settings = [];
let level = '';

/** A duration as people write it: 2m rather than 2m0s. */
const plain = (value) =>
  /^(\d+h)?(\d+m)?[\d.]+s$/.test(value)
    ? value
        .replace(/^0s$/, '0')
        .replace(/(?<=[hm])0s$/, '')
        .replace(/(?<=h)0m$/, '')
    : value;

const isChanged = (s) => s.from !== 'default' && plain(s.value) !== plain(s.default);

const make = (s) =>
  el(
    'tr',
    {},
    el('th', { scope: 'row', text: `--${s.name}`, title: s.help }),
    el('td', { class: 'mono value' }),
    el('td'),
    el('td', { class: 'mono value' }),
    el('td'),
    el('td', { class: 'mono' }),
  );

const shownAs = (value) => (value === '' ? '–' : plain(value));

const render = () => {
  const rows = $('changed-only').checked ? settings.filter(isChanged) : settings;
  keyed(
    $('settings-rows'),
    rows,
    (s) => s.name,
    make,
    (tr, s) => {
      const c = tr.cells;
      tr.className = isChanged(s) ? 'changed' : '';
      say(c[1], shownAs(s.value));
      say(c[2], s.from);
      say(c[3], shownAs(s.default));
      say(c[4], s.live ? 'yes, on SIGHUP' : 'no');
      say(c[5], (s.also_read ?? []).join(' '));
    },
  );
  say(
    $('settings-text'),
    `${count(settings.filter(isChanged).length)} of ${count(settings.length)} ` +
      'differ from their default',
  );
};

const showLevel = (is) => {
  level = is;
  const select = $('log-level');
  const known = [...select.options].some((o) => o.value === is);
  if (!known) select.append(el('option', { text: is }));
  select.value = is;
  select.disabled = Boolean(whyNot());
};

const load = async () => {
  try {
    const got = await request('GET', 'v1/settings');
    settings = got.settings ?? [];
    render();
    const warnings = got.warnings ?? [];
    keyed(
      $('settings-warnings'),
      warnings,
      (w) => w,
      (w) => el('li', { text: w }),
      () => {},
    );
    $('settings-warnings').hidden = warnings.length === 0;
  } catch (e) {
    say($('settings-text'), e.message);
  }
  try {
    showLevel((await request('GET', 'v1/log-level')).level);
  } catch (e) {
    $('log-level').disabled = true;
    $('log-level').title = e.message;
  }
};

const setLevel = async () => {
  const wanted = $('log-level').value;
  try {
    await request('PUT', 'v1/log-level', {
      type: 'application/json',
      body: JSON.stringify({ level: wanted }),
    });
    level = wanted;
    notice(`The log's level is ${wanted}, until it is changed again or the process ends.`);
  } catch (e) {
    $('log-level').value = level;
    notice(e.message);
  }
};

/** Shows what is set, once the daemon is there, and anew whenever it comes back. */
export const start = () => {
  $('changed-only').addEventListener('change', render);
  $('log-level').addEventListener('change', setLevel);
  news.addEventListener('status', load, { once: true });
  news.addEventListener('back', load);
  document.addEventListener('visibilitychange', () => {
    if (!document.hidden && settings.length > 0) load(); // somebody may have had it reloaded
  });
};
