// Server-sent events by fetch, which unlike EventSource can show a token. Fields as in the HTML
// standard: lines, a blank line after each event, comments after a colon.
import { ask, Problem } from './api.js';

const streamType = 'text/event-stream';
const lineMax = 1 << 20;
const silenceMax = 45_000; // milliseconds; the daemon says that it lives every 15 s

/** Takes a stream apart; what it is told of may come cut anywhere. */
export class Parser {
  constructor(onEvent) {
    Object.assign(this, { onEvent, rest: '', type: '', data: [] });
  }

  feed(text) {
    const lines = (this.rest + text).split(/\r\n|\n|\r(?!$)/);
    this.rest = lines.pop();
    if (this.rest.length > lineMax) throw new Problem('The stream of events has no end of line.');
    for (const l of lines) this.line(l);
  }

  line(l) {
    if (l === '') {
      if (this.data.length > 0) this.onEvent(this.type || 'message', this.data.join('\n'));
      this.type = '';
      this.data = [];
      return;
    }
    const at = l.indexOf(':');
    if (at === 0) return; // a comment
    const name = at < 0 ? l : l.slice(0, at);
    const value = at < 0 ? '' : l.slice(at + 1).replace(/^ /, '');
    if (name === 'event') this.type = value;
    else if (name === 'data') this.data.push(value);
  }
}

/**
 * Reads events until the stream ends, or signal ends it, or nothing has come for so long: whoever
 * is cut off hears nothing of it.
 */
export const listen = async (path, signal, onOpen, onEvent, silence = silenceMax) => {
  let deaf = null; // of the request that is under way
  let timer = 0;
  const heard = () => {
    clearTimeout(timer);
    timer = setTimeout(() => deaf.abort(), silence);
  };
  try {
    const answer = await ask(path, streamType, () => {
      deaf = new AbortController();
      heard();
      return {
        headers: { Accept: streamType },
        signal: AbortSignal.any([signal, deaf.signal]),
      };
    });
    onOpen();
    const parser = new Parser(onEvent);
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    for (;;) {
      heard();
      const part = await reader.read();
      if (part.done) return;
      parser.feed(part.value);
    }
  } catch (e) {
    if (signal.aborted || e instanceof Problem) throw e;
    throw new Problem(
      deaf.signal.aborted
        ? 'Nothing was heard of the stream of events.'
        : 'The stream of events broke off.',
    );
  } finally {
    clearTimeout(timer);
  }
};
