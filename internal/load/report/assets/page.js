(() => {
'use strict';
// Draws the plots of a report from the numbers in #data. Times are in microseconds, those of the
// time-line in seconds; see plots.go.
const data = JSON.parse(document.getElementById('data').textContent);
const root = document.documentElement;
const ink = (name) => getComputedStyle(root).getPropertyValue('--' + name).trim();

/** Three significant digits, without an exponent. */
const digits = (v) => {
  const a = Math.abs(v);
  if (a >= 100 || a === 0) return Math.round(v).toLocaleString('en');
  return String(+v.toPrecision(3));
};
const time = (us) => {
  if (us == null) return '–';
  if (us < 1e3) return digits(us) + ' µs';
  return us < 1e6 ? digits(us / 1e3) + ' ms' : digits(us / 1e6) + ' s';
};
const number = (v) => (v == null ? '–' : digits(v));
const short = (v) => (v >= 1e6 ? +(v / 1e6).toPrecision(3) + ' M'
  : v >= 1e4 ? +(v / 1e3).toPrecision(3) + ' k' : digits(v));
const seconds = (v) => (v == null ? '–' : v.toFixed(2) + ' s');
const percentile = (x) => {
  if (x == null) return '–';
  const p = 100 - 100 * 10 ** -x;
  return +p.toFixed(Math.max(1, Math.ceil(x) + 1)) + ' %';
};

const font = '12px system-ui, -apple-system, "Segoe UI", Roboto, sans-serif';
/** Values between two gaps, which no line reaches. */
const lonely = (u, series) => {
  const all = u.data[series];
  const found = [];
  all.forEach((v, i) => {
    if (v != null && all[i - 1] == null && all[i + 1] == null) found.push(i);
  });
  return found;
};
const line = (label, color, more) => ({
  label, stroke: ink(color), width: 1.5, value: (u, v) => time(v),
  points: { show: false, filter: lonely, size: 5, fill: ink(color) }, ...more,
});
const axis = (values, more) => ({
  font, stroke: ink('soft'), grid: { stroke: ink('grid'), width: 1 },
  ticks: { stroke: ink('grid'), width: 1, size: 4 }, values, ...more,
});
const alongAxis = (values, more) => axis(values, { size: 30, ...more });
/** An axis of values. All are of one width, so that plots over time stand exactly below each other.
 * A logarithmic one has lines at powers of ten only. */
const upAxis = (format, log) => {
  const a = axis((u, splits) => splits.map((v) => (v == null ? '' : format(v))), { size: 64, gap: 4 });
  if (log) {
    a.grid.filter = a.ticks.filter = (u, splits) => {
      const powers = splits.map((v) => (Math.abs(Math.log10(v) % 1) < 1e-6 ? v : null));
      return powers.filter((v) => v != null).length > 1 ? powers : splits;
    };
  }
  return a;
};
const fromZero = (u, min, max) => [0, max > 0 ? max * 1.08 : 1];
const scaleOf = (log) => (log ? { distr: 3, log: 10 } : { range: fromZero });

/** Phases of the run, as bands behind the lines. */
const bands = (u) => {
  const { ctx, bbox } = u;
  const ratio = devicePixelRatio;
  const right = bbox.left + bbox.width;
  ctx.save();
  ctx.font = `${11 * ratio}px system-ui, sans-serif`;
  ctx.textBaseline = 'bottom';
  ctx.textAlign = 'left';
  let free = -Infinity; // where the last name ends
  for (const f of data.timeline.phases ?? []) {
    const from = Math.max(u.valToPos(f.start, 'x', true), bbox.left);
    const to = Math.min(u.valToPos(f.end, 'x', true), right);
    if (to <= from) continue;
    if (f.name !== 'run') {
      ctx.fillStyle = ink('band');
      ctx.fillRect(from, bbox.top, to - from, bbox.height);
    }
    const wide = ctx.measureText(f.name).width;
    const at = Math.min(Math.max(from, free), right - wide);
    if (at >= free && (at === from || at + wide <= to || to === right)) {
      ctx.fillStyle = ink('soft');
      ctx.fillText(f.name, at, bbox.top - 2 * ratio);
      free = at + wide + 6 * ratio;
    }
  }
  ctx.restore();
};

/** Upright lines with names, at values of x. */
const marks = (at) => (u) => {
  const { ctx, bbox } = u;
  const ratio = devicePixelRatio;
  ctx.save();
  ctx.font = `${11 * ratio}px system-ui, sans-serif`;
  ctx.textBaseline = 'top';
  ctx.fillStyle = ctx.strokeStyle = ink('orange');
  ctx.lineWidth = ratio;
  let row = 0;
  let free = -Infinity;
  for (const [name, x] of at) {
    const px = Math.round(u.valToPos(x, 'x', true));
    if (px < bbox.left || px > bbox.left + bbox.width) continue;
    ctx.setLineDash([3 * ratio, 3 * ratio]);
    ctx.beginPath();
    ctx.moveTo(px, bbox.top);
    ctx.lineTo(px, bbox.top + bbox.height);
    ctx.stroke();
    const wide = ctx.measureText(name).width + 8 * ratio;
    const left = px + wide > bbox.left + bbox.width;
    const start = left ? px - wide : px;
    row = start < free ? row + 1 : 0;
    free = Math.max(free, start + wide);
    ctx.textAlign = left ? 'right' : 'left';
    ctx.fillText(name, px + (left ? -4 : 4) * ratio, bbox.top + (2 + 13 * row) * ratio);
  }
  ctx.restore();
};

/** One of the plots over time; a cursor in one is a cursor in all. */
const overTime = (series, values, format, scale, height) => {
  const t = data.timeline;
  return {
    height,
    data: [t.t, ...values],
    scales: { x: { time: false }, y: scale },
    series: [{ label: 'at', value: (u, v) => seconds(v) }, ...series],
    axes: [
      alongAxis((u, splits) => splits.map((v) => +v.toFixed(3) + ' s')),
      upAxis(format, scale.distr === 3),
    ],
    padding: [18, 32, 0, 0],
    cursor: { sync: { key: 'time', setSeries: false } },
    hooks: { drawClear: [bands] },
  };
};
const count = { value: (u, v) => number(v) };
const filled = (color) => ({ ...count, fill: ink(color), width: 1 });
const stepped = { ...count, paths: uPlot.paths.stepped({ align: 1 }) };

const distribution = (b) => {
  const at = b.log ? (us) => Math.log10(Math.max(us, .5)) : (us) => us;
  const back = b.log ? (x) => 10 ** x : (x) => x;
  const edges = b.edges.map(at);
  let sum = 0;
  const upTo = b.counts.map((n) => (sum += n) / b.total);
  const middles = b.counts.map((n, i) => (edges[i] + edges[i + 1]) / 2);
  return {
    height: 240,
    data: [middles, b.counts],
    scales: {
      x: { time: false, range: [edges[0], edges.at(-1)] },
      y: { range: fromZero },
    },
    series: [
      {
        label: 'from – to',
        value: (u, v, s, i) => (i == null ? '–' : `${time(b.edges[i])} – ${time(b.edges[i + 1])}`),
      },
      line('how many', 'blue', {
        fill: ink('blue-tint'), width: 1,
        paths: uPlot.paths.bars({ size: [1, Infinity], align: 0 }),
        value: (u, v, s, i) => (i == null ? '–' : `${number(v)} (${digits(100 * v / b.total)} %)`
          + `, up to here ${digits(100 * upTo[i])} %`),
      }),
    ],
    axes: [
      alongAxis((u, splits) => splits.map((x) => time(back(x))), b.log ? {
        splits: (u, i, min, max) => {
          const all = [];
          for (let d = Math.floor(min); d <= max; d++) {
            for (const f of [1, 2, 5]) {
              const x = Math.log10(f) + d;
              if (x >= min - 1e-9 && x <= max && (f === 1 || max - min < 2.5)) all.push(x);
            }
          }
          return all;
        },
      } : {}),
      upAxis(short),
    ],
    hooks: { draw: [marks([['p50', at(b.p50)], ['p99', at(b.p99)], ['max', at(b.max)]])] },
  };
};

const plots = {
  percentiles: (log) => {
    const c = data.percentiles;
    return {
      height: 340,
      data: [c.x, c.corrected, c.uncorrected, c.harness],
      scales: { x: { time: false, range: [0, Math.max(c.x.at(-1), .5)] }, y: scaleOf(log) },
      series: [
        { label: 'percentile', value: (u, v) => percentile(v) },
        line('from due', 'blue', { width: 2 }),
        line('uncorrected', 'orange', { width: 2 }),
        line('harness late', 'grey', { dash: [4, 4] }),
      ],
      axes: [
        alongAxis((u, splits) => splits.map(percentile), {
          splits: (u, i, min, max) => {
            const apart = u.width / (max - min); // pixels from 90 % to 99 %
            const every = Math.max(1, Math.ceil(64 / apart));
            return [0, Math.log10(2), 1, 2, 3, 4, 5, 6, 7, 8, 9, 10].filter((x) => x >= min
              && x <= max && (x % 1 ? apart > 140 : x % every === 0));
          },
        }),
        upAxis(time, log),
      ],
    };
  },
  rate: () => {
    const t = data.timeline;
    return overTime([
      line('sent', 'grey', { ...count, width: 3 }), line('received', 'blue', count),
    ], [t.sent, t.received], short, { range: fromZero }, 180);
  },
  latency: (log) => {
    const t = data.timeline;
    return overTime([
      line('p50', 'blue'), line('p99', 'orange'), line('max', 'red', { width: 1 }),
    ], [t.p50, t.p99, t.max], time, scaleOf(log), 260);
  },
  open: () => {
    const t = data.timeline;
    return overTime([line('open', 'blue', stepped)], [t.open], short, { range: fromZero }, 150);
  },
  turnover: () => {
    const t = data.timeline;
    return overTime([line('opened', 'green', count), line('closed', 'orange', count)],
      [t.opened, t.closed], short, { range: fromZero }, 150);
  },
  expired: () => overTime([line('expired', 'blue', filled('blue-tint'))],
    [data.timeline.expired], short, { range: fromZero }, 150),
  bad: () => overTime([line('bad', 'red', filled('red'))],
    [data.timeline.bad], short, { range: fromZero }, 130),
  lateness: () => distribution(data.lateness),
  connect: () => distribution(data.connect),
};

const drawn = [...document.querySelectorAll('figure.plot')].map((figure) => ({
  figure, box: figure.querySelector('.canvas'), log: true, plot: null,
}));

const draw = (d, width) => {
  d.plot?.destroy();
  d.figure.hidden = false;
  const { data: values, ...options } = plots[d.figure.dataset.plot](d.log);
  d.plot = new uPlot({ padding: [10, 32, 0, 0], ...options, width: width ?? d.box.clientWidth },
    values, d.box);
};
const drawAll = (width) => drawn.forEach((d) => draw(d, width));

for (const d of drawn) {
  for (const button of d.figure.querySelectorAll('button')) {
    button.addEventListener('click', () => {
      d.log = button.dataset.scale === 'log';
      for (const b of d.figure.querySelectorAll('button')) {
        b.setAttribute('aria-pressed', String(b === button));
      }
      draw(d);
    });
  }
}
document.getElementById('hint').hidden = drawn.length === 0;
drawAll();

const widths = new ResizeObserver((entries) => {
  for (const { target } of entries) {
    const d = drawn.find((one) => one.box === target);
    requestAnimationFrame(() => { // after the layout that this call is part of
      const width = target.clientWidth;
      if (width > 0 && d.plot.width !== width && !root.classList.contains('printing')) {
        d.plot.setSize({ width, height: d.plot.height });
      }
    });
  }
});
drawn.forEach((d) => widths.observe(d.box));
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => drawAll());
// Paper is light, and about as wide as this.
addEventListener('beforeprint', () => {
  root.classList.add('printing');
  drawAll(680);
});
addEventListener('afterprint', () => {
  root.classList.remove('printing');
  drawAll();
});
})();
