// The timing wheel as it is: a row of slots a level, the finest first. Colour says how many entries
// a slot holds; the slot that time is in is framed. Between two statuses the frame moves on by
// itself, as the daemon's time does.
import { $, el, say } from './dom.js';
import { count, millis, plural, short, when } from './format.js';
import { daemonNow, isThere } from './poll.js';
import { ink, isStill, onTheme } from './theme.js';

const slots = 64;
const levelsMin = 4; // are shown, be they empty
const rowHeight = 20;
const year = 365 * 86_400_000;
const frameMillis = 60; // between two pictures

let wheel = null; // of the newest status
let statusAt = 0; // when that was, by the daemon's clock
let ticksAt = 0; // where time was then, in slots of the finest level
let pace = 0; // ticks a millisecond; 0 where the wheel stands still
let rows = [];
let max = 0; // entries of the fullest slot
let colors = {};
let seen = true; // on the screen
let moving = false;

/** Where time is, in slots of the finest level. */
const ticksOf = (levels) => levels.reduce((sum, l, i) => sum + l.cursor * slots ** i, 0);

const ticksNow = () => ticksAt + Math.max(0, daemonNow() - statusAt) * pace;

const cursorOf = (level, ticks) => Math.floor(ticks / slots ** level) % slots;

/** What a slot spans, in milliseconds; the daemon says no more than 292 years. */
const slotSpan = (level) => wheel.levels[0].slot_ms * slots ** level;

/** When a slot comes up, in milliseconds from the moment that ticks stands for. */
const slotFrom = (level, slot, ticks) => {
  const here = Math.floor(ticks / slots ** level);
  return (here - (here % slots) + slot) * slotSpan(level) - ticks * slotSpan(0);
};

const shade = (n) => (n > 0 ? 0.18 + (0.82 * Math.log(n + 1)) / Math.log(Math.max(max, 9) + 1) : 0);

/** A row of slots. */
class Row {
  constructor(level) {
    this.level = level;
    this.slot = null; // that is pointed at
    this.canvas = el('canvas', {
      tabindex: '0',
      role: 'slider',
      'aria-valuemin': '0',
      'aria-valuemax': String(slots - 1),
    });
    this.name = el('span', { class: 'level-name' });
    this.sum = el('span', { class: 'level-sum' });
    this.row = el('div', { class: 'level' }, this.name, this.canvas, this.sum);
    $('wheel-levels').append(this.row);
    const point = (e) =>
      this.point(
        Math.min(slots - 1, Math.max(0, Math.floor((e.offsetX / this.canvas.clientWidth) * slots))),
      );
    this.canvas.addEventListener('pointermove', point);
    this.canvas.addEventListener('pointerdown', point);
    this.canvas.addEventListener('pointerleave', () => this.point(null));
    this.canvas.addEventListener('focus', () =>
      this.point(this.slot ?? cursorOf(this.level, ticksNow())),
    );
    this.canvas.addEventListener('blur', () => this.point(null));
    this.canvas.addEventListener('keydown', (e) => this.key(e));
    new ResizeObserver(() => draw()).observe(this.canvas);
  }

  key(e) {
    const steps = {
      ArrowLeft: -1,
      ArrowDown: -1,
      ArrowRight: 1,
      ArrowUp: 1,
      PageDown: -8,
      PageUp: 8,
      Home: -slots,
      End: slots,
    };
    if (!(e.key in steps)) return;
    e.preventDefault();
    this.point(Math.min(slots - 1, Math.max(0, (this.slot ?? 0) + steps[e.key])));
  }

  point(slot) {
    if (slot === this.slot) return;
    this.slot = slot;
    if (slot === null)
      say(
        $('wheel-read'),
        'Point at a slot, or reach a level by Tab and move by arrow keys, to read it.',
      );
    else say($('wheel-read'), this.read(slot));
    this.describe();
    draw();
  }

  /** A slot in words. */
  read(slot) {
    const ticks = ticksNow();
    const l = wheel.levels[this.level];
    const n = l.slots?.[slot] ?? 0;
    const entries = plural(n, 'entry', 'entries');
    const name = `Level ${this.level}, slot ${slot}`;
    const cursor = cursorOf(this.level, ticks);
    const from = slotFrom(this.level, slot, ticks);
    const to = from + slotSpan(this.level);
    if (slot < cursor) return `${name}: has passed, empty until its level begins anew.`;
    if (slot === cursor)
      return `${name}: time is here; the finer level holds what is due within it.`;
    const now = daemonNow();
    const [begins, ends] = [from, to].map((ms) => when(now + ms, now));
    const dates = to < year ? ` (${begins} – ${ends})` : '';
    return `${name}: ${entries}, coming up in ${millis(from)} to ${millis(to)}${dates}.`;
  }

  describe() {
    const l = wheel.levels[this.level];
    const used = (l.slots ?? []).filter((n) => n > 0).length;
    this.canvas.setAttribute(
      'aria-label',
      `Level ${this.level}, ${millis(slotSpan(this.level))} a slot: ` +
        `${plural(l.entries, 'entry', 'entries')} in ${used} of ${slots} slots`,
    );
    const slot = this.slot ?? l.cursor;
    this.canvas.setAttribute('aria-valuenow', String(slot));
    this.canvas.setAttribute(
      'aria-valuetext',
      this.slot === null ? `the cursor is at slot ${slot}` : this.read(slot),
    );
  }

  update() {
    const l = wheel.levels[this.level];
    const wide = slotSpan(this.level);
    say(this.name, `${millis(wide)} a slot, ${millis(wide * slots)} in all`);
    say(this.sum, short(l.entries));
    this.describe();
    if (this.slot !== null) say($('wheel-read'), this.read(this.slot));
  }

  draw(ticks) {
    const { canvas } = this;
    const ratio = devicePixelRatio;
    const [w, h] = [Math.round(canvas.clientWidth * ratio), Math.round(rowHeight * ratio)];
    if (w === 0) return;
    if (canvas.width !== w || canvas.height !== h) Object.assign(canvas, { width: w, height: h });
    const c = canvas.getContext('2d');
    const all = wheel.levels[this.level].slots ?? [];
    const cursor = cursorOf(this.level, ticks);
    const gap = Math.max(1, Math.round(ratio));
    const edge = (i) => Math.round((i * w) / slots);
    c.clearRect(0, 0, w, h);
    for (let i = 0; i < slots; i++) {
      const [x, wide] = [edge(i), edge(i + 1) - edge(i) - gap];
      // What time has gone past has come up, be it after the status was made.
      const n = i > cursor ? (all[i] ?? 0) : 0;
      c.globalAlpha = 1;
      c.fillStyle = i < cursor ? colors.passed : colors.empty;
      c.fillRect(x, 0, wide, h);
      if (n > 0) {
        c.globalAlpha = shade(n);
        c.fillStyle = colors.full;
        c.fillRect(x, 0, wide, h);
      }
    }
    c.globalAlpha = 1;
    const thick = Math.min(2 * ratio, w / slots / 4);
    c.lineWidth = thick;
    const frame = (i, color) => {
      c.strokeStyle = color;
      const wide = edge(i + 1) - edge(i) - gap;
      c.strokeRect(edge(i) + thick / 2, thick / 2, wide - thick, h - thick);
    };
    frame(cursor, colors.cursor);
    if (this.slot !== null) frame(this.slot, colors.pointed);
  }
}

function draw() {
  if (!wheel?.levels.length) return;
  const ticks = ticksNow();
  for (const r of rows) r.draw(ticks);
}

/** Draws again and again, for as long as something moves and is seen. */
const move = () => {
  moving = seen && pace > 0 && isThere() && !isStill();
  if (!moving) return;
  draw();
  setTimeout(() => requestAnimationFrame(move), frameMillis);
};

const wake = () => {
  if (!moving) move();
};

const recolor = () => {
  colors = {
    passed: ink('passed'),
    empty: ink('grid'),
    full: ink('blue'),
    cursor: ink('orange'),
    pointed: ink('ink'),
  };
  showScale();
  draw();
};

/** What shades mean, which follows from the fullest slot. */
function showScale() {
  const scale = $('wheel-scale');
  scale.replaceChildren();
  for (const n of [1, 10, 100, 1e3, 1e4, 1e5, 1e6, 1e7]) {
    if (n > 1 && n > max) break;
    const cell = el('i');
    cell.style.backgroundColor = colors.full;
    cell.style.opacity = shade(n);
    scale.append(cell, el('span', { text: short(n) }));
  }
  const cell = el('i', { class: 'cursor' });
  scale.append(cell, el('span', { text: 'now' }));
}

let started = false;

const start = () => {
  started = true;
  onTheme(recolor);
  new IntersectionObserver((entries) => {
    seen = entries.at(-1).isIntersecting;
    wake();
  }).observe($('wheel'));
};

/** How fast time moves over the wheel: as the clock does, or not at all where its clock sleeps. */
const paceSince = (before, beforeAt) => {
  const real = 1 / wheel.levels[0].slot_ms;
  const passed = statusAt - beforeAt;
  if (before === null || passed <= 0) return real;
  return (ticksAt - before) / passed > real / 2 ? real : 0;
};

/** Shows the wheel of a status. */
export const show = (status, restarted) => {
  const x = status.expiry;
  const before = wheel && !restarted ? [ticksAt, statusAt] : [null, 0];
  wheel = x.wheel;
  statusAt = Date.parse(status.now);
  const stale = x.entries > 0 ? `, ${count(x.stale)} stale` : '';
  const batch =
    x.sweep.count > 0
      ? `; a batch takes ${millis(x.sweep.p50_ms)} (p99 ${millis(x.sweep.p99_ms)})`
      : '';
  say(
    $('wheel-sum'),
    `${wheel.kind}, a tick is ${millis(x.tick_ms)}; ` +
      `${plural(x.entries, 'entry', 'entries')}${stale}${batch}`,
  );
  if (wheel.levels.length === 0) {
    say($('wheel-read'), 'This wheel does not show its slots.');
    $('wheel-levels').replaceChildren();
    rows = [];
    return;
  }
  ticksAt = ticksOf(wheel.levels);
  pace = paceSince(...before);
  const highest = wheel.levels.findLastIndex((l) => l.entries > 0);
  // A level that was shown stays, so that what is below does not jump.
  const shown = Math.min(wheel.levels.length, Math.max(levelsMin, highest + 1, rows.length));
  while (rows.length > shown) rows.pop().row.remove();
  while (rows.length < shown) rows.push(new Row(rows.length));
  const fullest = Math.max(0, ...wheel.levels.flatMap((l) => l.slots ?? []));
  const rescaled = fullest !== max;
  max = fullest;
  if (!started) start();
  if (!colors.full) recolor();
  else if (rescaled) showScale();
  for (const r of rows) r.update();
  draw();
  wake();
};
