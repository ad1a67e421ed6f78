// Plots over the last ten minutes, drawn by uPlot, each with a legend of its own that shows the
// newest values, or those of the moment that is pointed at.
/* global uPlot */
import { $, el, say } from './dom.js';
import { clock, millis, short } from './format.js';
import { kept } from './history.js';
import { ink, onTheme } from './theme.js';

const font = '11px system-ui, -apple-system, "Segoe UI", Roboto, sans-serif';
const height = 170;
const shortest = 60; // seconds that a plot spans from the start

/** From when to when plots are drawn: they grow until they span all that is kept. */
const windowOf = (u, min, max) => [max - Math.min(kept, Math.max(shortest, max - min)), max];

/** Which steps of a logarithmic axis are named: powers of ten, and between two alone 2 and 5. */
const named = (u, splits) => {
  const { min, max } = u.scales.y;
  const wanted = max <= min * 10 ? [1, 2, 5] : [1];
  return splits.map((v) => {
    const digit = v / 10 ** Math.floor(Math.log10(v) + 1e-6);
    return wanted.some((d) => Math.abs(digit - d) < 1e-3) ? v : null;
  });
};

/** Steps of an axis that counts what comes whole. */
const whole = Array.from({ length: 12 }, (_, i) => [1, 2, 5].map((n) => n * 10 ** i)).flat();

const dashed = [6, 3];
const dotted = [2, 3];
const mixed = [8, 2, 2, 2];

/**
 * Colours and dashes of end reasons. Who does not see all colours takes blue for violet, green for
 * orange or red, and teal for grey: lines of such colours have other dashes.
 */
const reasonStyle = {
  idle: ['blue'],
  lifetime: ['violet', dashed],
  window: ['teal', dashed],
  bye: ['green'],
  closed: ['grey'],
  lost: ['orange', dashed],
  slow: ['red', dotted],
  revoked: ['red', mixed],
  evicted: ['teal', mixed],
  policy: ['violet', dotted],
  drained: ['grey', dotted],
};

/** A line in a legend, dashed as in its plot. */
const stroke = (color, dash = [9]) => {
  let at = 0;
  const parts = dash.map((n, i) => `${i % 2 ? 'transparent' : color} ${at}px ${(at += n)}px`);
  return `repeating-linear-gradient(90deg, ${parts.join(', ')})`;
};

const lineOf = (name, column, color, dash) => ({ name, column, color, dash });

const plotsOf = (reasons) => [
  {
    name: 'sessions',
    title: 'Sessions by state',
    format: short,
    whole: true,
    lines: [
      lineOf('live', 'live', 'blue'),
      lineOf('detached', 'detached', 'orange', dashed),
      lineOf('grace', 'grace', 'violet', dotted),
    ],
  },
  {
    name: 'connections',
    title: 'Connections',
    format: short,
    whole: true,
    lines: [lineOf('open', 'connections', 'blue')],
  },
  {
    name: 'messages',
    title: 'Messages per second',
    format: short,
    lines: [lineOf('in', 'in', 'blue'), lineOf('out', 'out', 'orange', dashed)],
  },
  {
    name: 'ends',
    title: 'Ends per second, by reason',
    format: short,
    lines: reasons.map((r) => lineOf(r, `ended ${r}`, ...(reasonStyle[r] ?? ['grey', [1, 3]]))),
  },
  {
    name: 'lateness',
    title: 'Lateness of expiry, over 10 s each',
    format: millis,
    log: true,
    lines: [
      lineOf('p50', 'p50', 'blue'),
      lineOf('p99', 'p99', 'orange', dashed),
      lineOf('p99.9', 'p999', 'red', dotted),
    ],
  },
];

/** Values between two gaps, which no line reaches. */
const lonely = (u, series) => {
  const all = u.data[series];
  const found = [];
  all.forEach((v, i) => {
    if (v != null && all[i - 1] == null && all[i + 1] == null) found.push(i);
  });
  return found;
};

/** One plot and its legend. */
class Plot {
  constructor(parent, what, history) {
    Object.assign(this, { what, history, plot: null, hidden: new Set(), at: null });
    this.box = el('div', { class: 'canvas', role: 'img' });
    this.legend = el('p', { class: 'legend' });
    this.values = what.lines.map((l) => {
      const value = el('b', { text: '–' });
      const mark = el('i', { 'aria-hidden': 'true' });
      const button = el(
        'button',
        { type: 'button', 'aria-pressed': 'true', title: 'Show or hide this line' },
        mark,
        el('span', { text: l.name }),
        value,
      );
      button.addEventListener('click', () => this.toggle(l, button));
      this.legend.append(button);
      return { value, button, mark };
    });
    this.figure = el(
      'figure',
      { class: 'plot card', 'data-plot': what.name },
      el('figcaption', {}, el('span', { text: what.title }), (this.time = el('time'))),
      this.box,
      this.legend,
    );
    parent.append(this.figure);
    this.build();
    new ResizeObserver(() => this.fit()).observe(this.box);
  }

  toggle(l, button) {
    const off = this.hidden.delete(l.name) ? false : Boolean(this.hidden.add(l.name));
    button.setAttribute('aria-pressed', String(!off));
    this.plot.setSeries(this.what.lines.indexOf(l) + 1, { show: !off });
  }

  /** Draws anew, in the colours of the theme. */
  build() {
    this.plot?.destroy();
    this.at = null;
    const line = { stroke: ink('grid'), width: 1 };
    const axis = (more) => ({
      font,
      stroke: ink('soft'),
      grid: line,
      ticks: { ...line, size: 4 },
      ...more,
    });
    this.plot = new uPlot(
      {
        width: this.box.clientWidth || 300,
        height,
        padding: [8, 26, 0, 0], // half of a time beside the last line
        legend: { show: false },
        cursor: { sync: { key: 'history' }, drag: { x: false, y: false }, points: { size: 6 } },
        scales: { x: { time: true, range: windowOf }, y: this.scale() },
        axes: [
          axis({
            size: 26,
            space: 64,
            incrs: [10, 30, 60, 120, 300],
            values: (u, splits, i, space, step) =>
              splits.map((t) => clock(t * 1000).slice(0, step < 60 ? 8 : 5)),
          }),
          axis({
            size: 58,
            gap: 4,
            space: 28,
            ...(this.what.whole ? { incrs: whole } : {}),
            values: (u, splits) => splits.map((v) => (v == null ? '' : this.what.format(v))),
            ...(this.what.log
              ? {
                  filter: named,
                  grid: { ...line, filter: named },
                  ticks: { ...line, size: 4, filter: named },
                }
              : {}),
          }),
        ],
        series: [
          {},
          ...this.what.lines.map((l) => ({
            label: l.name,
            stroke: ink(l.color),
            width: 1.5,
            dash: l.dash,
            show: !this.hidden.has(l.name),
            points: { show: false, filter: lonely, size: 4, fill: ink(l.color) },
            spanGaps: false,
          })),
        ],
        hooks: {
          setCursor: [
            (u) => {
              this.at = u.cursor.idx ?? null;
              this.read();
            },
          ],
        },
      },
      this.data(),
      this.box,
    );
    this.what.lines.forEach((l, i) => {
      this.values[i].mark.style.backgroundImage = stroke(ink(l.color), l.dash);
    });
  }

  scale() {
    if (this.what.log)
      return { distr: 3, log: 10, range: (u, min, max) => this.logRange(min, max) };
    return { range: (u, min, max) => [0, max > 0 ? max * 1.08 : 1] };
  }

  /** Whole powers of ten around the values; 0, which has no logarithm, is drawn at the bottom. */
  logRange(min, max) {
    if (min == null || max == null || max <= 0) return [0.1, 100];
    const low = 10 ** Math.floor(Math.log10(Math.max(min, 0.001)));
    const high = 10 ** Math.ceil(Math.log10(max));
    return [low, high > low ? high : low * 10];
  }

  data() {
    const positive = (v) => (v != null && v <= 0 ? 0.001 : v);
    return [
      this.history.column('t'),
      ...this.what.lines.map((l) => {
        const all = this.history.column(l.column);
        return this.what.log ? all.map(positive) : all;
      }),
    ];
  }

  fit() {
    const width = this.box.clientWidth;
    if (width > 0 && width !== this.plot.width) this.plot.setSize({ width, height });
  }

  update() {
    this.plot.setData(this.data());
    this.read();
  }

  /** Shows the values of the moment that is pointed at, or the newest. */
  read() {
    const t = this.history.column('t');
    const i = this.at != null && this.at < t.length ? this.at : t.length - 1;
    say(this.time, this.at != null && i >= 0 ? clock(t[i] * 1000) : '');
    this.what.lines.forEach((l, n) => {
      const v = this.history.column(l.column)[i];
      say(this.values[n].value, v == null ? '–' : this.what.format(v));
      this.values[n].button.classList.toggle('nothing', !v);
    });
    this.box.setAttribute(
      'aria-label',
      `${this.what.title}: ${this.what.lines
        .map((l, n) => `${l.name} ${this.values[n].value.textContent}`)
        .join(', ')}`,
    );
  }
}

let plots = null;

/** Draws what a history holds. */
export const show = (history, reasons) => {
  if (!plots) {
    plots = plotsOf(reasons).map((p) => new Plot($('plots'), p, history));
    onTheme(() => plots.forEach((p) => p.build()));
  }
  for (const p of plots) p.update();
};
