// A client of curfewd for browsers and Node, in one file without dependencies: copy it.
//
//   import { CurfewClient } from './curfew.js';
//
//   const c = new CurfewClient('wss://example.org/ws', { token: 'secret' });
//   c.addEventListener('message', (e) => console.log('pushed:', e.detail.data));
//   c.addEventListener('newsession', () => console.log('what the old session knew is gone'));
//   console.log(await c.request({ any: 'JSON' }));
//   console.log((await c.call('sleep', { ms: 100 })).text);
//   await c.close();
//
// The session outlives its connection: when that is lost, the client connects again, resumes, and
// takes what it missed. No answer and no push is lost or seen twice unless it says so ('gap',
// 'newsession', CurfewError 'unknown'). docs/client.md has the rules, for clients in any language.
//
// License: Apache-2.0.

/**
 * Why a request has no answer. `code` in capitals comes from the server (TIMEOUT, OVER_CAPACITY,
 * TOOL_NOT_FOUND, ...). In small letters it is the client's own:
 * - `unknown`: it was sent, but the answer is lost for good. It may have run, or not.
 * - `timeout`, `aborted`: it was given up. It may have run, or not.
 * - `closed`, `full`: it was never sent.
 */
export class CurfewError extends Error {
  constructor(code, message, details) {
    super(message);
    this.name = 'CurfewError';
    this.code = code;
    this.details = details;
  }
}

/**
 * What a close code asks of a client:
 * - `resume`: connect again after a back-off, and resume;
 * - `anew`: the session is over: connect again at once, and say hello without resume;
 * - `fault`: one side broke the protocol: as `resume`, but not for ever;
 * - `stop`: do not come back by yourself.
 * @param {number} code
 */
export function actionFor(code) {
  if (code >= 4000 && code < 4100) return 'stop'; // our hello was wrong
  if (code >= 4200 && code < 4300) return 'anew'; // time ended it, or nobody knows it
  if (code >= 4300 && code < 4400) return 'stop'; // somebody decided against us
  return [1002, 1003, 1007, 1009, 1010].includes(code) ? 'fault' : 'resume';
}

/** The errors in a hello_ack that say that the session is no more which was to be resumed. */
const OVER = /^(resume_|session_(?!limit$))/;

const OPTIONS = {
  token: undefined, // the secret or API key, where the server asks for one
  protocols: ['curfew.v1'],
  WebSocket: globalThis.WebSocket, // or another constructor, such as that of npm's ws
  wantExpiring: false, // be told ('expiring') when the session is about to end of idleness
  idleSeconds: undefined, // an idle timeout shorter than the server's
  keepAlive: true, // the pings keep the session from idling; false: only what you send does
  pingEveryMs: 25_000, // how often the connection is tested; 0: never
  pongTimeoutMs: 10_000, // how long a living server may be silent after a ping
  connectTimeoutMs: 10_000,
  helloTimeoutMs: 4_000, // well below 10 s, for which the token before the newest stays good
  ackEvery: 16, // acknowledge after so many frames; the server keeps 64
  ackAfterMs: 1_000, // or so long after the first of them
  requestTimeoutMs: 60_000, // of a request that names none; 0: none
  maxInFlight: 32, // requests that wait for an answer, so that all answers fit into the 64
  maxQueued: 1_000, // requests that wait for anything
  backoffMs: 250, // the first wait is up to this, the next up to twice this, ...
  backoffMaxMs: 15_000,
  stableMs: 5_000, // a connection that lasted so long makes the next wait the first again
  faultsMax: 3, // protocol errors in a row before the client gives up
  storage: undefined, // such as sessionStorage: a page that is loaded again then resumes
  storageKey: 'curfew',
};

const now = () => performance.now();

/**
 * One session at a time, for as long as the client lives. Events are CustomEvents:
 * - `open` {sessionId, resumed, gap}: connected;
 * - `message` {data}: the application pushed something (or answered `send`);
 * - `gap` {sessionId}: resumed, but frames are lost that the server could not keep;
 * - `newsession` {code, reason, oldSessionId}: the session is a new one, the old one is over;
 * - `expiring` {inMs, reason}: the session ends soon unless something is sent;
 * - `goodbye` {retryAfterMs}: the server is about to close, and will be resumed after that;
 * - `down` {code, reason, action, delayMs}: the connection is lost, the next try is in delayMs;
 * - `ended` {code, reason, retryAfterMs}: there will be no next try, unless you call `connect`;
 * - `error` {code, message, details}: an error that is about no request;
 * - `unclaimed` {frame}: an answer that nobody waits for any more.
 */
export class CurfewClient extends EventTarget {
  /** Becomes the client with the first 'open'; rejected where 'ended' comes before that. */
  ready;

  #url;
  #o;
  #state = 'ended'; // connecting, replaying, open, leaving (goodbye was said), waiting, ended
  #ws = null; // the current socket; what others say is not heard
  #timers = {}; // of the current socket, or of the wait for the next
  #session = null; // {id, token, seq, windowMs}: token and seq are what a resume needs
  #replay = null; // {gap, jump, until} from a resume to the end of what is sent again
  #over = null; // how the last session ended, until the next begins
  #closing = false; // bye was said
  #unacked = 0;
  #heardAt = 0;
  #upAt = 0; // when the session was there; 0: it is not
  #waitMs = 0; // what the server asked for before the next connection
  #tries = 0; // in a row
  #faults = 0; // in a row
  #anew = 0; // sessions that were found over, in a row
  #refusal = ''; // the error of a hello_ack on the current socket
  #pending = new Map(); // requests by request_id, in the order of their making
  #inFlight = 0; // those of them that were sent
  #prefix = [...crypto.getRandomValues(new Uint8Array(8))]
    .map((b) => b.toString(16).padStart(2, '0')).join('');
  #count = 0;

  /**
   * @param {string} url of the daemon: ws:// or wss://, with the path
   * @param {Partial<typeof OPTIONS>} [options]
   */
  constructor(url, options = {}) {
    super();
    this.#url = url;
    this.#o = { ...OPTIONS, ...options };
    this.ready = new Promise((resolve, reject) => {
      this.addEventListener('open', () => resolve(this), { once: true });
      this.addEventListener('ended', ({ detail }) =>
        reject(new CurfewError('closed', `${detail.code} ${detail.reason}`)), { once: true });
    });
    this.ready.catch(() => {}); // whoever does not ask need not hear
    this.connect();
  }

  get state() { return this.#state; }
  get sessionId() { return this.#session?.id; } // public: good for logs, unlike the token
  get seq() { return this.#session?.seq; } // of the last numbered frame

  /**
   * Connects at once. Needed only after 'ended', or to cut a wait short:
   * `addEventListener('online', () => c.connect())`.
   */
  connect() {
    if (this.#state === 'ended') {
      this.#tries = this.#faults = this.#anew = 0;
      this.#closing = false;
      this.#session = this.#load();
    } else if (this.#state !== 'waiting') {
      return;
    }
    this.#dial();
  }

  /**
   * Asks the application. While there is no connection the request waits; it is sent again after a
   * lost connection, and runs once.
   * @param {any} data @param {{timeoutMs?: number, signal?: AbortSignal}} [options]
   * @returns {Promise<any>} the data of the answer
   */
  request(data, options) {
    return this.#ask({ op: 'message', data: data ?? null }, options).then((f) => f.data);
  }

  /**
   * Runs a tool.
   * @param {string} name @param {object} [args]
   * @param {{timeoutMs?: number, signal?: AbortSignal, onprogress?: (frame) => void}} [options]
   * @returns {Promise<{text: string, outputs: object[]}>}
   */
  call(name, args = {}, options) {
    return this.#ask({ op: 'call_tool', name, arguments: args }, options)
      .then(({ text, outputs }) => ({ text, outputs }));
  }

  /** @returns {Promise<{name: string, description: string, inputSchema: object}[]>} */
  listTools(options) {
    return this.#ask({ op: 'list_tools' }, { ...options, harmless: true }).then((f) => f.tools);
  }

  /** Tells the application something, at most once: it is lost with the connection it went to. */
  send(data) {
    this.#admit();
    const frame = JSON.stringify({ op: 'message', data: data ?? null });
    this.#pending.set(this.#nextId(), { frame, unasked: true });
    this.#flush();
  }

  /**
   * Ends the session and the client. What has no answer yet is rejected, so wait for that before.
   * Without a connection the server hears nothing: it ends the session when its window is over.
   */
  close() {
    if (this.#state === 'ended') return Promise.resolve();
    const ended = new Promise((resolve) => {
      this.addEventListener('ended', resolve, { once: true });
    });
    const giveUp = () => this.#abandon('closed', 1000);
    this.#closing = true;
    this.#state = 'leaving';
    if (this.#upAt > 0) {
      this.#write({ op: 'bye' });
      this.#after('patience', this.#o.helloTimeoutMs, giveUp);
    } else {
      giveUp();
    }
    return ended;
  }

  // Connections.

  #dial() {
    this.#stopTimers();
    this.#state = 'connecting';
    this.#refusal = '';
    const ws = new this.#o.WebSocket(this.#url, this.#o.protocols);
    const ifCurrent = (f) => (e) => { if (ws === this.#ws) f(e); };
    ws.onopen = ifCurrent(() => this.#hello());
    ws.onmessage = ifCurrent((e) => this.#heard(e.data));
    ws.onclose = ifCurrent((e) => this.#lost(e.code, e.reason));
    const giveUp = () => this.#abandon('no connection');
    // A close should follow, and say more; Node's own WebSocket has forgotten it at times.
    ws.onerror = ifCurrent(() => this.#after('patience', 500, giveUp));
    this.#ws = ws;
    this.#after('patience', this.#o.connectTimeoutMs, giveUp);
  }

  /** Says hello. Nothing else may be sent before the answer: the server would take that for a sign
   * that the newest token had arrived, and a lost hello_ack could not be made good. */
  #hello() {
    const { token, wantExpiring, idleSeconds } = this.#o;
    const s = this.#session;
    this.#write({
      op: 'hello', token, resume: s?.token ? { token: s.token, seq: s.seq } : undefined,
      want: { resume: true, expiring: wantExpiring, idle_s: idleSeconds },
    });
    this.#after('patience', this.#o.helloTimeoutMs, () => this.#abandon('no hello_ack'));
  }

  /** Gives a connection up without waiting for it, since it may be dead. */
  #abandon(reason, code = 1006) {
    const ws = this.#ws;
    this.#lost(code, reason);
    if (ws?.terminate) ws.terminate(); // npm's ws
    else ws?.close();
  }

  #lost(code, reason) {
    const lasted = this.#upAt > 0 && now() - this.#upAt >= this.#o.stableMs;
    this.#ws = this.#replay = null;
    this.#upAt = 0;
    this.#stopTimers();
    if (lasted) this.#tries = this.#faults = this.#anew = 0;
    let action = this.#closing ? 'stop' : actionFor(code);
    if (action === 'fault' && ++this.#faults > this.#o.faultsMax) action = 'stop';
    if (action === 'stop') return this.#end(code, reason);

    this.#state = 'waiting';
    const over = action === 'anew' || OVER.test(this.#refusal) || !this.#session?.token;
    if (over) this.#forget(code, reason);
    const delayMs = this.#delay(code, action);
    this.#after('retry', delayMs, () => this.#dial());
    this.#emit('down', { code, reason, action, delayMs });
  }

  /** Full jitter: all clients of a server that died come back spread over the whole wait. */
  #delay(code, action) {
    const { backoffMs, backoffMaxMs } = this.#o;
    const tries = this.#tries++;
    const asked = this.#waitMs || (code === 1013 ? 1_000 : 0);
    this.#waitMs = 0;
    this.#anew = action === 'anew' ? this.#anew + 1 : 0;
    if (this.#anew === 1) return 0; // but not again and again
    const windowMs = this.#session?.windowMs ?? Infinity; // to be back before that is over
    const most = Math.min(backoffMaxMs, windowMs / 4, backoffMs * 2 ** tries);
    return asked + Math.random() * most;
  }

  #end(code, reason) {
    this.#state = 'ended';
    const retryAfterMs = this.#waitMs;
    this.#waitMs = 0;
    this.#forget(code, reason);
    this.#over = null;
    for (const id of [...this.#pending.keys()]) {
      this.#settle(id, new CurfewError('closed', `not sent: ${code} ${reason}`));
    }
    this.#emit('ended', { code, reason, retryAfterMs });
  }

  // Sessions.

  #welcomed(f) {
    const old = this.#session;
    const resumed = Boolean(f.resumed && old);
    const gap = resumed && Boolean(f.gap);
    if (!resumed) this.#forget(4203, 'not resumed');
    this.#stopTimers();
    this.#upAt = now();
    this.#waitMs = this.#unacked = 0;
    this.#session = {
      id: f.session_id, token: f.resume_token,
      windowMs: (f.resume_window_s ?? 0) * 1_000, seq: resumed ? Math.min(old.seq, f.seq) : 0,
    };
    this.#save();
    this.#state = resumed ? 'replaying' : 'open';
    this.#replay = resumed ? { gap, jump: gap, until: f.seq } : null;
    if (resumed) this.#beat(); // its answer comes after all that is sent again
    else this.#beatLater();
    const over = this.#over;
    this.#over = null;
    if (over) this.#emit('newsession', over);
    this.#emit('open', { sessionId: f.session_id, resumed, gap });
    if (gap) this.#emit('gap', { sessionId: f.session_id });
    this.#flush();
  }

  /** Notes what only a refusal says; the code of the close behind it says what to do. */
  #refused(f) {
    this.#waitMs = (f.retry_after ?? 0) * 1_000;
    this.#refusal = f.error;
  }

  /** All that the server kept is here. What has no answer now either never arrived or still runs,
   * and may be sent again; unless there was a gap, into which its answer may have fallen. */
  #replayed() {
    if (!this.#replay) return;
    const { gap, until } = this.#replay;
    this.#replay = null;
    if (gap) this.#session.seq = Math.max(this.#session.seq, until);
    this.#unsend(gap && 'the answer may be among the frames that are lost');
    this.#state = 'open';
    this.#flush();
  }

  /** Takes the session for over. */
  #forget(code, reason) {
    if (!this.#session) return;
    this.#over = { code, reason, oldSessionId: this.#session.id };
    const { storage, storageKey } = this.#o;
    const ours = this.#load()?.token === this.#session.token; // else: of who took it over
    if (ours) storage?.removeItem(storageKey);
    this.#session = null;
    this.#unsend(`the session is over: ${code} ${reason}`);
  }

  #load() { return JSON.parse(this.#o.storage?.getItem(this.#o.storageKey) ?? null); }

  #save() { this.#o.storage?.setItem(this.#o.storageKey, JSON.stringify(this.#session)); }

  // Frames.

  #heard(text) {
    this.#heardAt = now();
    let f = null;
    try { f = JSON.parse(text); } catch { /* told below */ }
    if (typeof f?.op !== 'string') return this.#abandon('not a frame', 1002);
    if (f.op === 'hello_ack') {
      if (this.#state === 'connecting') f.ok ? this.#welcomed(f) : this.#refused(f);
      return;
    }
    if (this.#state === 'connecting') return;
    const numbered = f.seq !== undefined;
    if (numbered && !this.#fresh(f.seq)) return;
    this.#take(f);
    if (numbered && this.#session) this.#told();
  }

  /** Says whether a numbered frame is new. Where one before it is missing, the server has it. */
  #fresh(seq) {
    const s = this.#session;
    if (seq <= s.seq) return false;
    if (seq > s.seq + 1 && !this.#replay?.jump) {
      this.#abandon(`frame ${s.seq + 1} is missing`);
      return false;
    }
    if (this.#replay) this.#replay.jump = false;
    s.seq = seq;
    return true;
  }

  /** Lets the server forget frames, once they have been told and written down. */
  #told() {
    this.#save();
    if (!this.#ws) return;
    if (++this.#unacked >= this.#o.ackEvery) this.#acknowledge();
    else if (!this.#timers.ack) this.#after('ack', this.#o.ackAfterMs, () => this.#acknowledge());
  }

  #acknowledge() {
    this.#unacked = 0;
    this.#stop('ack');
    this.#write({ op: 'ack', seq: this.#session.seq });
  }

  #take(f) {
    switch (f.op) {
      case 'message': return this.#emit('message', { data: f.data });
      case 'message_res':
        if (f.request_id === undefined) return this.#emit('message', { data: f.data });
        return this.#answered(f);
      case 'call_tool_res': case 'list_tools_res': return this.#answered(f);
      case 'error':
        if (f.request_id === undefined) return this.#emit('error', f.error);
        if (f.error.code === 'DUPLICATE') return undefined; // it runs: its answer will come
        return this.#answered(f, new CurfewError(f.error.code, f.error.message, f.error.details));
      case 'call_tool_ack': case 'progress':
        return this.#pending.get(f.request_id)?.onprogress?.(f);
      case 'pong': case 'session_info_res': return this.#replayed();
      case 'session_expiring': return this.#emit('expiring', { inMs: f.in_ms, reason: f.reason });
      case 'goodbye':
        this.#state = 'leaving'; // what is asked from here on is for the next connection
        this.#waitMs = f.retry_after_ms;
        return this.#emit('goodbye', { retryAfterMs: f.retry_after_ms });
      default: return undefined; // session_expired, whose close says the same; what is to come
    }
  }

  #write(frame) { this.#ws.send(JSON.stringify(frame)); }

  #emit(type, detail) { this.dispatchEvent(new CustomEvent(type, { detail })); }

  // Requests.

  #ask(frame, { timeoutMs = this.#o.requestTimeoutMs, signal, onprogress, harmless } = {}) {
    return new Promise((resolve, reject) => {
      this.#admit(); // what it throws rejects the promise
      if (signal?.aborted) throw new CurfewError('aborted', 'aborted before it was sent');
      const id = this.#nextId();
      const p = { frame: JSON.stringify({ ...frame, request_id: id }), sent: false };
      Object.assign(p, { harmless, onprogress, resolve, reject, signal });
      const giveUp = (code, why) => this.#settle(id, new CurfewError(code, why));
      p.abort = () => giveUp('aborted', 'aborted');
      signal?.addEventListener('abort', p.abort);
      if (timeoutMs > 0) {
        p.timer = setTimeout(() => giveUp('timeout', `not within ${timeoutMs} ms`), timeoutMs);
      }
      this.#pending.set(id, p);
      this.#flush();
    });
  }

  #admit() {
    if (this.#state === 'ended') throw new CurfewError('closed', 'the client has ended');
    if (this.#pending.size >= this.#o.maxQueued) throw new CurfewError('full', 'too much waits');
  }

  /** Sends what waits, the oldest first, as far as the limit allows. */
  #flush() {
    if (this.#state !== 'open') return;
    for (const [id, p] of this.#pending) {
      if (p.sent) continue;
      if (this.#inFlight >= this.#o.maxInFlight) return;
      this.#ws.send(p.frame);
      if (p.unasked) {
        this.#pending.delete(id);
      } else {
        p.sent = true;
        this.#inFlight++;
      }
    }
  }

  #nextId() { return `${this.#prefix}-${++this.#count}`; }

  #answered(f, error) {
    if (!this.#settle(f.request_id, error, f)) this.#emit('unclaimed', { frame: f });
  }

  #settle(id, error, frame) {
    const p = this.#pending.get(id);
    if (!p) return false;
    this.#pending.delete(id);
    if (p.sent) this.#inFlight--;
    clearTimeout(p.timer);
    p.signal?.removeEventListener('abort', p.abort);
    if (error) p.reject?.(error);
    else p.resolve(frame);
    this.#flush();
    return true;
  }

  /** Has all that was sent and not answered sent again, or rejects it where there is a reason why
   * no answer can be hoped for. What changes nothing may be asked again whatever happened. */
  #unsend(unknown) {
    for (const [id, p] of [...this.#pending]) {
      if (!p.sent) continue;
      if (unknown && !p.harmless) {
        this.#settle(id, new CurfewError('unknown', unknown));
      } else {
        p.sent = false;
        this.#inFlight--;
      }
    }
  }

  // Time.

  /** Tests the connection, since a browser cannot send the pings of WebSocket itself. */
  #beat() {
    const at = now();
    this.#write({ op: this.#o.keepAlive ? 'ping' : 'session_info' }); // the second touches nothing
    this.#after('beat', this.#o.pongTimeoutMs, () => {
      if (this.#heardAt < at) this.#abandon('no answer to a ping');
      else this.#beatLater();
    });
  }

  #beatLater() {
    if (this.#o.pingEveryMs > 0) this.#after('beat', this.#o.pingEveryMs, () => this.#beat());
  }

  #after(name, ms, f) { this.#stop(name); this.#timers[name] = setTimeout(f, ms); }

  #stop(name) { clearTimeout(this.#timers[name]); delete this.#timers[name]; }

  #stopTimers() { for (const name of Object.keys(this.#timers)) this.#stop(name); }
}
