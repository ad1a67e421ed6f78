// Light, dark, or as the system has it, and the colours that canvases draw with.
import { $, say } from './dom.js';

const key = 'curfew-theme';
const order = ['auto', 'light', 'dark'];
const root = document.documentElement;
const listeners = new Set();
const probe = document.createElement('i');

/** Has a function called when colours change. */
export const onTheme = (f) => listeners.add(f);

/** The colour that a variable of the style sheet stands for, in the theme that is shown. */
export const ink = (name) => {
  if (!probe.isConnected) {
    probe.hidden = true;
    document.body.append(probe);
  }
  probe.style.forcedColorAdjust = 'none'; // lines and slots differ by their colours
  probe.style.color = `var(--${name})`;
  return getComputedStyle(probe).color;
};

const current = () => root.dataset.theme ?? 'auto';

const show = () => {
  say($('theme'), `Theme: ${current()}`);
  for (const f of listeners) f();
};

/** Makes the button work. */
export const start = () => {
  $('theme').addEventListener('click', () => {
    const next = order[(order.indexOf(current()) + 1) % order.length];
    if (next === 'auto') delete root.dataset.theme;
    else root.dataset.theme = next;
    try {
      if (next === 'auto') localStorage.removeItem(key);
      else localStorage.setItem(key, next);
    } catch {
      // It holds for as long as the page is open, then.
    }
    show();
  });
  for (const q of ['prefers-color-scheme: dark', 'forced-colors: active', 'prefers-contrast: more'])
    matchMedia(`(${q})`).addEventListener('change', show);
  show();
};

/** Whether things should keep still. */
export const isStill = () => matchMedia('(prefers-reduced-motion: reduce)').matches;
