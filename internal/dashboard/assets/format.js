// Numbers and times as they are read.

const english = new Intl.NumberFormat('en');
const dash = '–';

/** What is not known is not a number: it was not said, or made of what was not said. */
const isNumber = (v) => typeof v === 'number' && !Number.isNaN(v);

/** Three significant digits, without an exponent. */
export const digits = (v) => {
  const a = Math.abs(v);
  return a >= 100 || a === 0 ? english.format(Math.round(v)) : String(+v.toPrecision(3));
};

/** A count, in full. */
export const count = (n) => (isNumber(n) ? english.format(n) : dash);

/** So many of something. */
export const plural = (n, one, many) => `${count(n)} ${n === 1 ? one : many}`;

/** A count where there is little room: 1.23 M. */
export const short = (n) => {
  if (!isNumber(n)) return dash;
  if (n >= 1e9) return `${+(n / 1e9).toPrecision(3)} G`;
  if (n >= 1e6) return `${+(n / 1e6).toPrecision(3)} M`;
  return n >= 1e4 ? `${+(n / 1e3).toPrecision(3)} k` : digits(n);
};

/** A number a second. */
export const rate = short;

/** Milliseconds, in the unit that suits them. */
export const millis = (ms) => {
  if (!isNumber(ms)) return dash;
  if (ms === 0) return '0 ms';
  if (ms < 1) return `${digits(ms * 1e3)} µs`;
  return ms < 1e3 ? `${digits(ms)} ms` : span(ms / 1e3);
};

/** A span of seconds, in two units at most. */
export const span = (seconds) => {
  if (!isNumber(seconds)) return dash;
  const s = Math.abs(seconds);
  const sign = seconds < 0 ? '−' : '';
  const two = (n, unit, rest, small) =>
    `${sign}${english.format(n)} ${unit}` + (rest > 0 ? ` ${rest} ${small}` : '');
  if (s < 10) return `${sign}${+s.toFixed(1)} s`;
  const whole = Math.round(s);
  if (whole < 60) return `${sign}${whole} s`;
  if (whole < 3600) return two(Math.floor(whole / 60), 'min', whole % 60, 's');
  if (whole < 86400)
    return two(Math.floor(whole / 3600), 'h', Math.floor((whole % 3600) / 60), 'min');
  const days = Math.floor(whole / 86400);
  if (days < 730) return two(days, 'd', Math.floor((whole % 86400) / 3600), 'h');
  return `${sign}${short(days / 365.25)} years`;
};

/** Bytes, in powers of 1,024. */
export const bytes = (n) => {
  if (!isNumber(n)) return dash;
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let v = n;
  let i = 0;
  for (; v >= 1000 && i < units.length - 1; i++) v /= 1024;
  return `${digits(v)} ${units[i]}`;
};

/** A share, as percent. */
export const percent = (share) =>
  isNumber(share) ? `${+(share * 100).toFixed(share < 0.1 ? 1 : 0)} %` : dash;

const onClock = new Intl.DateTimeFormat('en-GB', {
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
});
const onCalendar = new Intl.DateTimeFormat('en-CA', {
  year: 'numeric',
  month: '2-digit',
  day: '2-digit',
});

/** Whether a calendar reaches a moment: those of browsers end 275,000 years from now. */
const isDate = (ms) => !Number.isNaN(new Date(ms).getTime());

/** A moment, in milliseconds since 1970, as the reader's clock shows it. */
export const clock = (ms) => (isDate(ms) ? onClock.format(ms) : dash);

/** A moment with its day. */
export const moment = (ms) =>
  isDate(ms) ? `${onCalendar.format(ms)} ${onClock.format(ms)}` : dash;

/** A moment as it is said in a table: the day only where it is another one. */
export const when = (ms, now) =>
  isDate(ms) && onCalendar.format(ms) === onCalendar.format(now) ? clock(ms) : moment(ms);

/** A sentence made of what a program said. */
export const sentence = (text) => {
  const t = String(text).trim();
  if (t === '') return '';
  return t[0].toUpperCase() + t.slice(1) + (/[.!?]$/.test(t) ? '' : '.');
};
