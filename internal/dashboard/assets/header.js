// The head of the page: what this daemon is, and whether it is there.
import { $, say } from './dom.js';
import { clock, plural, span } from './format.js';
import { age, daemonNow, isThere, news, pollNow, status } from './poll.js';
import { askAgain } from './token.js';

let origin = ''; // the version that this page came from
let gone = null; // the newest of the failures, while there are some
let noticeTimer = 0;

/** Says something for a while. */
export const notice = (text) => {
  say($('notice'), text);
  clearTimeout(noticeTimer);
  noticeTimer = setTimeout(() => say($('notice'), ''), 15_000);
};

const showUptime = () => {
  const s = status();
  if (!s || !isThere()) return;
  say($('uptime'), `up ${span((daemonNow() - Date.parse(s.started_at)) / 1000)}`);
};

const show = (s) => {
  const draining = s.state === 'draining';
  say($('state'), s.state);
  $('state').className = `badge ${draining ? 'warn' : 'good'}`;
  $('read-only').hidden = !s.read_only;
  say($('version'), s.version);
  origin ||= s.version;
  $('reload').hidden = s.version === origin;
  $('reload').title = `This page is of ${origin}, the daemon of another version`;
  $('version').title = `${s.go_version}, process ${s.pid}`;
  say($('node'), s.node ? `node ${s.node}` : '');
  const sessions = plural(s.sessions.total, 'session', 'sessions');
  document.title = `${draining ? 'draining: ' : ''}${sessions} · Curfew`;
  showUptime();
};

const showLink = (tone, text) => {
  $('link').className = `link ${tone}`;
  say($('link-text'), text);
};

const showGone = () => {
  if (!gone) return;
  const { problem, retryAt, last } = gone;
  const drained = last?.state === 'draining';
  say(
    $('gone-what'),
    problem.status === 401
      ? 'The daemon asks for a token.'
      : drained && problem.status === 0
        ? 'The daemon was draining and does not answer any more.'
        : problem.message,
  );
  say(
    $('gone-why'),
    last ? `What is shown is from ${clock(Date.parse(last.now))}, ${span(age() / 1000)} ago.` : '',
  );
  const wait = Math.max(0, Math.ceil((retryAt - performance.now()) / 1000));
  say(
    $('gone-next'),
    retryAt === Infinity ? '' : wait > 0 ? `Trying again in ${wait} s.` : 'Trying again.',
  );
};

/** Begins to show. */
export const start = () => {
  news.addEventListener('status', ({ detail }) => {
    gone = null;
    $('gone').hidden = true;
    $('main').classList.remove('stale', 'waiting'); // nothing moves under a reader's eyes
    showLink('good', 'connected');
    show(detail.status);
  });
  news.addEventListener('gone', ({ detail }) => {
    gone = detail;
    showGone();
    $('gone').hidden = false;
    $('draining').hidden = true; // how far it has come is not known any more
    $('main').classList.add('stale');
    $('state').className = 'badge'; // it was so
    const what = detail.problem.status === 401 ? 'no token' : 'no connection';
    showLink('bad', what);
    document.title = `${what} · Curfew`;
  });
  news.addEventListener('back', ({ detail }) =>
    notice(
      detail.restarted
        ? `This is another process, started at ${clock(Date.parse(detail.status.started_at))}: ` +
            'counters begin anew.'
        : 'The daemon answers again.',
    ),
  );
  const zone = new Intl.DateTimeFormat().resolvedOptions().timeZone;
  say($('zone'), zone ? `, ${zone}` : '');
  $('gone-now').addEventListener('click', () => {
    askAgain();
    pollNow();
  });
  $('reload').addEventListener('click', () => location.reload());
  setInterval(() => {
    showUptime();
    showGone();
  }, 1000);
};
