// Clients of docs/examples/curfew-client that a test moves, in Node and in a page alike:
//
//   node testdata/puppet.mjs URL NAME
//   testdata/puppet.html?name=NAME&name=... which has a frame for each
//
// It connects to URL, says its name, and answers each command (an object, with what to do in `do`)
// with {ok} or {error}. The test judges.
import { CurfewClient } from '../../../docs/examples/curfew-client/curfew.js';

const TYPES = ['open', 'message', 'gap', 'newsession', 'expiring', 'goodbye', 'down', 'ended',
  'error', 'unclaimed'];

let WebSocket = globalThis.WebSocket;
const actors = {}; // by name

/** Items as sessionStorage has them, apart from all others. */
class Items {
  constructor(other) { this.map = new Map(other?.map); }
  getItem(key) { return this.map.get(key) ?? null; }
  setItem(key, value) { this.map.set(key, value); }
  removeItem(key) { this.map.delete(key); }
}

/** A client, and what came of it. */
class Actor {
  events = [];
  pushes = [];
  asked = 0;
  answered = 0;
  wrong = 0;
  rejected = {};
  waiting = new Set(); // promises of requests
  watchers = new Set(); // called when anything happens

  constructor({ url, options, storage, copy }) {
    this.storage = storage === 'session' ? sessionStorage : new Items(actors[copy]?.storage);
    this.c = new CurfewClient(url, { WebSocket, storage: this.storage, ...options });
    for (const type of TYPES) {
      this.c.addEventListener(type, ({ detail }) => {
        if (type === 'message') this.pushes.push(detail.data);
        else this.events.push({ type, ...detail });
        this.look();
      });
    }
  }

  look() { for (const w of [...this.watchers]) w(); }

  /** Resolves with what ready gives, as soon as that is not undefined. */
  until(ready) {
    return new Promise((resolve) => {
      const watcher = () => {
        const got = ready();
        if (got === undefined) return;
        this.watchers.delete(watcher);
        resolve(got);
      };
      this.watchers.add(watcher);
      watcher();
    });
  }

  ask(promise, right) {
    this.asked++;
    const settled = promise.then((got) => {
      if (right(got)) this.answered++;
      else this.wrong++;
    }, (err) => {
      const code = err.code ?? String(err);
      this.rejected[code] = (this.rejected[code] ?? 0) + 1;
    }).finally(() => {
      this.waiting.delete(settled);
      this.look();
    });
    this.waiting.add(settled);
  }
}

const commands = {
  start(command) { actors[command.client] = new Actor(command); },

  /** Makes requests at a pace, each with another number. */
  flow({ client, everyMs }) {
    const a = actors[client];
    a.timer = setInterval(() => {
      const n = a.asked;
      a.ask(a.c.request({ n }), (got) => got.n === n);
    }, everyMs);
  },

  /** Makes no more of them, and waits for the last answer. */
  async rest({ client }) {
    const a = actors[client];
    clearInterval(a.timer);
    while (a.waiting.size > 0) await Promise.all(a.waiting);
  },

  sleep({ client, ms }) {
    const a = actors[client];
    a.ask(a.c.call('sleep', { ms }), (got) => got.text === `slept ${ms} ms`);
  },

  /** Waits for the count-th event of a type, and gives it. */
  event({ client, type, count }) {
    const a = actors[client];
    return a.until(() => a.events.filter((e) => e.type === type)[count - 1]);
  },

  pushed({ client, count }) {
    const a = actors[client];
    return a.until(() => (a.pushes.length >= count ? null : undefined));
  },

  answered({ client, count }) {
    const a = actors[client];
    return a.until(() => (a.answered >= count ? null : undefined));
  },

  account({ client }) {
    const { c, events, pushes, asked, answered, wrong, rejected } = actors[client];
    return {
      session: c.sessionId, seq: c.seq, state: c.state,
      events, pushes, asked, answered, wrong, rejected,
    };
  },

  async close({ client }) { await actors[client].c.close(); },

  reload() { setTimeout(() => location.reload()); }, // after the answer
};

/** Does what is said at url until that ends. */
function obey(url, name) {
  return new Promise((resolve) => {
    const ws = new WebSocket(url);
    ws.onopen = () => ws.send(JSON.stringify({ name }));
    ws.onclose = ws.onerror = resolve;
    ws.onmessage = async ({ data }) => {
      const command = JSON.parse(data);
      let answer;
      try {
        answer = { ok: (await commands[command.do](command)) ?? null };
      } catch (err) {
        answer = { error: String(err.stack ?? err) };
      }
      ws.send(JSON.stringify(answer));
    };
  });
}

if (typeof document === 'undefined') {
  const { createRequire } = await import('node:module');
  WebSocket = createRequire(import.meta.url)('ws');
  await obey(process.argv[2], process.argv[3]);
  process.exit(0);
} else {
  const names = new URLSearchParams(location.search).getAll('name');
  if (window === window.top) {
    for (const name of names) {
      const frame = document.createElement('iframe');
      frame.src = `${location.pathname}?name=${name}`;
      document.body.append(frame);
    }
  } else {
    await obey(`ws://${location.host}/puppets`, names[0]);
  }
}
