// One session: all that is known of it, how long it has, and what can be done to it.
import { whyNot } from './access.js';
import { request, sessionPath } from './api.js';
import { $, el, keyed, say, tell } from './dom.js';
import { bytes, count, moment, plural, span } from './format.js';
import { daemonNow } from './poll.js';

const every = 1000;

let id = null; // of the session that is open
let session = null; // as it was last seen; null once it has ended
let timer = 0;
let opened = 0; // tells answers for this dialog from late ones
let troubled = false; // what is told is that it cannot be read
let onUser = () => {};

/** Says what to do where somebody asks for all sessions of a user. */
export const whenUser = (f) => {
  onUser = f;
};

const fieldsOf = (s) => [
  ['Session', s.session_id, 'mono'],
  ['User', s.user ?? '–'],
  ['Protocol', s.protocol ?? '–'],
  ['Remote', s.remote ?? 'not connected', 'mono'],
  ['Created', moment(Date.parse(s.created_at))],
  ['Last activity', moment(Date.parse(s.last_activity))],
  ['Deadline', s.deadline ? moment(Date.parse(s.deadline)) : 'none'],
  ['Idle timeout', span(s.idle_s)],
  ['Calls running', count(s.in_flight)],
  ['Queued', s.queued_bytes == null ? '–' : bytes(s.queued_bytes)],
  ['Resumable', s.resumable ? 'yes' : 'no'],
  ...(s.resumable
    ? [
        ['Resumed', plural(Math.max(0, s.epoch - 1), 'time', 'times')], // it began in epoch 1
        ['Last frame', count(s.seq)],
        ['Kept for replay', bytes(s.replay_bytes)],
      ]
    : []),
];

const showEnds = () => {
  if (!session) return;
  const now = daemonNow();
  const idle = `idle for ${span(Math.max(0, now - Date.parse(session.last_activity)) / 1000)}`;
  const left = session.deadline ? (Date.parse(session.deadline) - now) / 1000 : null;
  say(
    $('session-ends'),
    left === null
      ? `Never ends by itself, ${idle}.`
      : left > 0
        ? `Ends in ${span(left)} if nothing happens, ${idle}.`
        : `Due to end, ${idle}.`,
  );
};

const show = (s) => {
  session = s;
  say($('session-state'), s.state);
  $('session-state').className = `badge ${s.state}`;
  keyed(
    $('session-fields'),
    fieldsOf(s),
    ([name]) => name,
    ([name]) => el('div', {}, el('dt', { text: name }), el('dd')),
    (div, [name, value, tone]) => {
      const dd = div.lastChild;
      dd.className = tone ?? '';
      if (name !== 'User' || !s.user) say(dd, value);
      else if (!dd.firstElementChild) {
        dd.replaceChildren(
          el('button', {
            type: 'button',
            class: 'text',
            text: s.user,
            title: 'List all sessions of this user',
            onclick: () => {
              $('session-dialog').close();
              onUser(s.user);
            },
          }),
        );
      }
    },
  );
  showEnds();
};

/** What can be done while the session lives. */
const enable = (alive) => {
  const why = whyNot();
  tell($('session-why'), why);
  for (const e of $('session-dialog').querySelectorAll('[data-writes]'))
    e.disabled = !alive || Boolean(why);
};

const ended = () => {
  const acted = $('session-actions').contains(document.activeElement);
  session = null;
  say($('session-state'), 'ended');
  $('session-state').className = 'badge';
  say($('session-ends'), 'This session has ended. What is shown is what was last seen of it.');
  $('kick-sure').hidden = true;
  $('session-kick').hidden = false;
  enable(false);
  if (acted) $('session-close').focus(); // what had the focus can do nothing any more
};

const told = (text, tone) => {
  say($('session-told'), text);
  $('session-told').className = `told ${tone}`;
};

const refresh = async () => {
  clearTimeout(timer);
  const mine = opened;
  if (!document.hidden) {
    try {
      const s = await request('GET', sessionPath(id));
      if (mine !== opened) return;
      show(s);
      enable(true);
      if (troubled) told('', '');
      troubled = false;
    } catch (e) {
      if (mine !== opened) return;
      if (e.status === 404) {
        ended();
        return;
      }
      told(e.message, 'bad');
      troubled = true;
    }
  }
  timer = setTimeout(refresh, every);
};

/** Does something to the session and says what came of it. */
const act = async (method, path, options, done) => {
  const mine = opened;
  told('', '');
  troubled = false;
  let text = done;
  let tone = 'good';
  try {
    await request(method, path, options);
  } catch (e) {
    [text, tone] = [e.message, 'bad'];
  }
  if (mine !== opened) return;
  told(text, tone);
  refresh();
};

const send = (e) => {
  e.preventDefault();
  const type = $('send-kind').value;
  const body = $('send-text').value;
  if (type === 'application/json') {
    try {
      JSON.parse(body);
    } catch {
      told('This is not one JSON value: mend it, or send it as text.', 'bad');
      return;
    }
  } else if (body === '') {
    told('There is nothing to send.', 'bad');
    return;
  }
  act('POST', `${sessionPath(id)}/messages`, { body, type }, 'It is on its way to the client.');
};

const askKick = (asked) => {
  $('kick-sure').hidden = !asked;
  $('session-kick').hidden = asked;
  (asked ? $('kick-no') : $('session-kick')).focus();
};

/** Opens a session. */
export const open = (which) => {
  opened++;
  id = which;
  session = null;
  say($('session-title'), 'Session');
  say($('session-state'), '…');
  say($('session-ends'), '');
  $('session-fields').replaceChildren();
  $('kick-sure').hidden = true;
  $('session-kick').hidden = false;
  told('', '');
  enable(false);
  $('session-dialog').showModal();
  refresh();
};

/** Makes the dialog work. */
export const start = () => {
  const dialog = $('session-dialog');
  dialog.addEventListener('close', () => {
    opened++;
    clearTimeout(timer);
  });
  dialog.addEventListener('pointerdown', (e) => {
    if (e.target !== dialog) return;
    const box = dialog.getBoundingClientRect();
    const inside =
      e.clientX >= box.left &&
      e.clientX <= box.right &&
      e.clientY >= box.top &&
      e.clientY <= box.bottom;
    if (!inside) dialog.close(); // a press beside it
  });
  $('session-close').addEventListener('click', () => dialog.close());
  $('send-form').addEventListener('submit', send);
  $('session-touch').addEventListener('click', () =>
    act('POST', `${sessionPath(id)}/touch`, {}, 'Touched.'),
  );
  $('session-kick').addEventListener('click', () => askKick(true));
  $('kick-no').addEventListener('click', () => askKick(false));
  $('kick-yes').addEventListener('click', () =>
    act('DELETE', sessionPath(id), {}, 'It was ended from here.'),
  );
  setInterval(() => {
    if (dialog.open) showEnds();
  }, 250);
};
