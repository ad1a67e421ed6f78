// The operator's API: requests, and what went wrong, as a sentence.
import { sentence } from './format.js';
import { askToken, authorization, currentToken } from './token.js';

const usual = 10_000; // milliseconds that an answer may take
const tooLong = 'The daemon takes too long to answer.';

/** Why a request came to nothing. Its message is a sentence. */
export class Problem extends Error {
  /**
   * The status of the answer, 0 where there was none; the API's code for it; the seconds after
   * which it should be tried again, 0 where that was not said.
   */
  constructor(message, status = 0, code = 'no_answer', retryAfter = 0) {
    super(message);
    Object.assign(this, { name: 'Problem', status, code, retryAfter });
  }
}

const whyNot = async (answer) => {
  let error = {};
  try {
    error = (await answer.json()).error ?? {};
  } catch {
    // Whatever stands between here and the daemon does not speak as it does.
  }
  const retryAfter = Number(answer.headers.get('Retry-After')) || 0;
  let text = sentence(error.message ?? `the answer is ${answer.status} ${answer.statusText}`);
  if (retryAfter > 0) text += ` Try again in ${retryAfter} s.`;
  return new Problem(text, answer.status, error.code ?? '', retryAfter);
};

const send = async (path, options) => {
  try {
    return await fetch(path, {
      cache: 'no-store',
      credentials: 'omit',
      redirect: 'manual', // which nobody behind this path makes
      ...options,
      headers: { ...authorization(), ...options.headers },
    });
  } catch (e) {
    if (e.name === 'AbortError') throw e;
    throw new Problem(e.name === 'TimeoutError' ? tooLong : 'The daemon does not answer.');
  }
};

/** Whatever stands before a daemon may answer in its place. */
const isOf = (answer, type) =>
  answer.status === 204 || (answer.headers.get('Content-Type') ?? '').startsWith(type);

/**
 * Asks until the token is right, each time with new options, and gives an answer that is a good
 * one, and of a type.
 */
export const ask = async (path, type, options) => {
  for (;;) {
    const shown = currentToken();
    const answer = await send(path, options());
    if (answer.type === 'opaqueredirect') {
      throw new Problem(
        'Something before the daemon sends this page elsewhere, to a login perhaps: reload it.',
      );
    }
    if (answer.ok && isOf(answer, type)) return answer;
    if (answer.ok) throw new Problem('What answers is not a Curfew daemon.');
    const problem = await whyNot(answer);
    if (answer.status !== 401 || !(await askToken(shown))) throw problem;
  }
};

/**
 * Makes one request and gives the JSON of its answer, null where it has none. It may take so many
 * milliseconds, each time that it is made anew with another token, and signal calls it off.
 */
export const request = async (method, path, { body, type, signal, patience = usual } = {}) => {
  const answer = await ask(path, 'application/json', () => ({
    method,
    body,
    headers: type ? { 'Content-Type': type } : {},
    signal: AbortSignal.any([...(signal ? [signal] : []), AbortSignal.timeout(patience)]),
  }));
  if (answer.status === 204) return null;
  try {
    return await answer.json();
  } catch (e) {
    if (e.name === 'AbortError') throw e;
    throw new Problem(e.name === 'TimeoutError' ? tooLong : 'The answer is cut off.');
  }
};

/** The path of a session. */
export const sessionPath = (id) => {
  // A browser takes these for steps between directories, however they are written.
  if (id === '.' || id === '..' || id === '' || !id.isWellFormed()) {
    throw new Problem('There is no such session.', 404, 'not_found');
  }
  return `v1/sessions/${encodeURIComponent(id)}`;
};
