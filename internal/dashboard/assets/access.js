// Whether things may be changed from here. Where the daemon is read-only, what would change
// something is switched off and says why.
import { $ } from './dom.js';

let readOnly = false;

/** Whether the daemon is read-only. */
export const isReadOnly = () => readOnly;

/** Why nothing can be changed; '' where it can. */
export const whyNot = () => (readOnly ? $('why-read-only').textContent : '');

/** Takes in whether the daemon is read-only. */
export const show = (status) => {
  readOnly = status.read_only;
  for (const e of document.querySelectorAll('[data-writes]')) {
    if (readOnly) {
      e.disabled = true;
      e.title = whyNot();
      e.setAttribute('aria-describedby', 'why-read-only');
      e.dataset.held = '';
    } else if ('held' in e.dataset) {
      e.disabled = false;
      e.removeAttribute('title');
      e.removeAttribute('aria-describedby');
      delete e.dataset.held;
    }
  }
};
