// Letting all clients go: asked for with a word that must be typed, and how far it has come.
import { whyNot } from './access.js';
import { request } from './api.js';
import { $, say, tell } from './dom.js';
import { count, plural, span } from './format.js';
import { daemonNow, pollNow, status } from './poll.js';

const word = 'drain';

const ask = () => {
  const s = status();
  say(
    $('drain-what'),
    s
      ? `${plural(s.connections.open, 'connection', 'connections')} and ` +
          `${plural(s.sessions.total, 'session', 'sessions')} would go.`
      : '',
  );
  $('drain-word').value = '';
  $('drain-go').disabled = true;
  tell($('drain-error'), '');
  $('drain-dialog').showModal();
  $('drain-word').focus();
};

const go = async (e) => {
  e.preventDefault();
  if ($('drain-word').value.trim() !== word) return;
  $('drain-go').disabled = true;
  try {
    await request('POST', 'v1/drain');
    $('drain-dialog').close();
    pollNow();
  } catch (problem) {
    tell($('drain-error'), problem.message);
    $('drain-go').disabled = false;
  }
};

/** Shows how far a drain has come. */
export const show = (s) => {
  const draining = s.state === 'draining';
  $('draining').hidden = !draining;
  if (!whyNot()) {
    $('drain').disabled = draining;
    $('drain').title = draining ? 'It is draining already.' : '';
  }
  if (!draining) return;
  const d = s.drain;
  if (!d) {
    say($('drain-text'), 'Draining: clients are told to go elsewhere.');
    $('drain-progress').removeAttribute('value');
    return;
  }
  const left = d.window_s - (daemonNow() - Date.parse(d.started_at)) / 1000;
  const done = d.connections > 0 ? 1 - d.remaining / d.connections : 1;
  say(
    $('drain-text'),
    `Draining: ${count(d.connections - d.remaining)} of ${count(d.connections)} ` +
      `connections have gone, ${count(d.remaining)} to go. ${
        left > 0
          ? `The window of ${span(d.window_s)} ends in ${span(left)}.`
          : `The window of ${span(d.window_s)} has passed.`
      }`,
  );
  $('drain-progress').value = done || 0;
};

/** Makes the button and its dialog work. */
export const start = () => {
  $('drain').addEventListener('click', ask);
  $('drain-cancel').addEventListener('click', () => $('drain-dialog').close());
  $('drain-form').addEventListener('submit', go);
  $('drain-word').addEventListener('input', () => {
    $('drain-go').disabled = $('drain-word').value.trim() !== word;
  });
};
