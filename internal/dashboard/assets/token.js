// The token that the daemon asks for: kept for this tab, shown to nobody, sent in a header.
import { $, tell } from './dom.js';

const key = 'curfew-token';
let token = '';
let asking = null; // the promise of a token, while the dialog is open
let declined = null; // the token instead of which nobody would give another
let onToken = () => {};

try {
  token = sessionStorage.getItem(key) ?? '';
} catch {
  // It is kept for as long as the page is open, then.
}

/** The headers that show the token, if there is one. */
export const authorization = () => (token ? { Authorization: `Bearer ${token}` } : {});

/** The token that is shown at the moment; '' where there is none. */
export const currentToken = () => token;

/** Has a function called when another token is given, whoever asked for it. */
export const whenToken = (f) => {
  onToken = f;
};

/** Lets the dialog come again, though it was closed without a token. */
export const askAgain = () => {
  declined = null;
};

const keep = (text) => {
  token = text;
  declined = null;
  $('forget').hidden = !token;
  try {
    if (token) sessionStorage.setItem(key, token);
    else sessionStorage.removeItem(key);
  } catch {
    // As above.
  }
};

/**
 * Asks for a token, since the one that was shown is not known; whoever asks meanwhile waits for the
 * same answer. Gives whether there is another one. Whoever was refused for a token instead of which
 * nobody would give another does not ask again.
 */
export const askToken = (shown) => {
  if (shown !== token) return Promise.resolve(true); // somebody was faster
  if (shown === declined) return Promise.resolve(false);
  asking ??= new Promise((resolve) => {
    const dialog = $('token-dialog');
    const input = $('token-input');
    tell($('token-error'), shown ? 'The daemon does not know that token.' : '');
    input.value = '';
    let given = false;
    const submit = (e) => {
      e.preventDefault();
      const text = input.value.trim();
      if (!/^[\x20-\x7e]+$/.test(text)) {
        tell($('token-error'), 'A token is made of visible ASCII characters.');
        return;
      }
      given = true;
      keep(text);
      dialog.close();
    };
    $('token-form').addEventListener('submit', submit);
    dialog.addEventListener(
      'close',
      () => {
        $('token-form').removeEventListener('submit', submit);
        input.value = '';
        asking = null;
        if (!given) declined = token;
        resolve(given);
        if (given) onToken();
      },
      { once: true },
    );
    dialog.showModal();
    input.focus();
  });
  return asking;
};

/** Makes the button that forgets the token work. */
export const start = () => {
  $('forget').hidden = !token;
  $('forget').addEventListener('click', () => {
    keep('');
    location.reload(); // what was shown was for who knew it
  });
};
