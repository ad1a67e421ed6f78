// Tests of curfew.js in Node, against a real daemon wherever that can be brought to do what is to
// be seen, and against a scripted server where it cannot. `make e2e` runs them; by hand:
//
//   CURFEWD=build/curfewd NODE_PATH=build/e2e/node_modules node --test docs/examples/curfew-client
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';
import { describe, test } from 'node:test';

import { CurfewClient, CurfewError, actionFor } from './curfew.js';

const WebSocket = createRequire(import.meta.url)('ws'); // which knows NODE_PATH; import does not
const concurrency = 8;

/** Starts a daemon and gives its URL. */
async function daemon(t, ...args) {
  const p = spawn(process.env.CURFEWD, [
    '--listen', '127.0.0.1:0', '--admin', '', '--log-format', 'json', ...args,
  ], { stdio: ['ignore', 'ignore', 'pipe'] });
  t.after(() => p.kill('SIGKILL'));
  for await (const line of createInterface(p.stderr)) {
    const { msg, address } = JSON.parse(line);
    if (msg === 'listening') {
      p.stderr.resume();
      return `ws://${address}/ws`;
    }
  }
  throw new Error('the daemon ended');
}

/** Makes a client that is quick, and notes its events. */
function client(t, url, options) {
  const c = new CurfewClient(url, { WebSocket, backoffMs: 20, ackAfterMs: 20, ...options });
  c.events = [];
  for (const type of ['open', 'message', 'gap', 'newsession', 'expiring', 'goodbye', 'down',
    'ended', 'error', 'unclaimed']) {
    c.addEventListener(type, (e) => c.events.push({ type, ...e.detail }));
  }
  c.types = () => c.events.map((e) => e.type);
  c.event = async (type) => {
    const seen = c.events.find((e) => e.type === type);
    return seen ?? (await once(c, type))[0].detail;
  };
  t.after(() => c.close());
  return c;
}

/** A server that does what it is told to: the i-th script has the i-th connection. */
async function scripted(t, ...scripts) {
  const server = new WebSocket.Server({ port: 0, host: '127.0.0.1' });
  await once(server, 'listening');
  t.after(() => {
    for (const ws of server.clients) ws.terminate();
    server.close();
  });
  let n = 0;
  const done = scripts.map(() => Promise.withResolvers?.() ?? deferred());
  for (const d of done) d.promise.catch(() => {}); // all() reports it
  server.on('connection', (ws) => {
    const i = n++;
    if (!scripts[i]) return ws.close(4000, 'there is no script for this connection');
    return scripts[i](new Peer(ws)).then(done[i].resolve, done[i].reject);
  });
  return {
    url: `ws://127.0.0.1:${server.address().port}/ws`,
    all: () => Promise.all(done.map((d) => d.promise)),
  };
}

function deferred() {
  const d = {};
  d.promise = new Promise((resolve, reject) => Object.assign(d, { resolve, reject }));
  return d;
}

class Peer {
  #frames = [];
  #wake = () => {};

  constructor(ws) {
    this.ws = ws;
    ws.on('message', (data) => { this.#frames.push(JSON.parse(data)); this.#wake(); });
    ws.on('close', () => { this.#frames.push({ op: 'closed' }); this.#wake(); });
  }

  /** The next frame, which must be that; acks are passed over where none is asked for. */
  async hear(op) {
    for (;;) {
      while (this.#frames.length === 0) await new Promise((resolve) => { this.#wake = resolve; });
      const f = this.#frames.shift();
      if (f.op === op) return f;
      if (f.op !== 'ack') assert.equal(f.op, op, JSON.stringify(f));
    }
  }

  async acked(seq) {
    while ((await this.hear('ack')).seq !== seq) ; // how many come before is a matter of time
  }

  say(...frames) {
    for (const f of frames) this.ws.send(typeof f === 'string' ? f : JSON.stringify(f));
  }

  async welcome(more) {
    const hello = await this.hear('hello');
    this.say({
      op: 'hello_ack', ok: true, session_id: 'S', idle_s: 3600, resume_token: 'T1', resumed: false,
      gap: false, seq: 0, resume_window_s: 120, node: 'n', epoch: 1, ...more,
    });
    return hello;
  }

  async refuse(code, why) {
    await this.hear('hello');
    this.say({ op: 'hello_ack', ok: false, ...why });
    this.ws.close(code, why.error);
  }

  /** Welcomes a client back, and answers the ping that asks whether all has been sent again. */
  async resume(more, ...again) {
    const hello = await this.welcome({ resumed: true, resume_token: 'T2', epoch: 2, ...more });
    this.say(...again);
    await this.hear('ping');
    this.say({ op: 'pong', t: 0 });
    return hello;
  }

  hangUp() { this.ws.terminate(); }
}

const push = (seq) => ({ op: 'message', seq, data: seq });
const answer = (seq, f, data = f.data) =>
  ({ op: 'message_res', seq, request_id: f.request_id, data });
const code = (want) => (err) => err instanceof CurfewError && err.code === want;
/** The numbers up to n. */
const upTo = (n) => Array.from({ length: n }, (_, i) => i + 1);

describe('against the daemon', { concurrency }, () => {
  test('requests, calls, tools, messages and bye', async (t) => {
    const c = client(t, await daemon(t));
    const early = c.request('before there is a connection');
    assert.equal(await c.ready, c);
    assert.match(c.sessionId, /^[\w-]{32}$/);
    assert.equal(await early, 'before there is a connection');
    assert.deepEqual(await c.request({ zwölf: '€' }), { zwölf: '€' });
    assert.equal(await c.request(undefined), null);
    c.send('no answer is waited for');
    assert.equal((await c.event('message')).data, 'no answer is waited for');
    assert.deepEqual((await c.listTools()).map((tool) => tool.name), ['echo', 'sleep']);
    const progress = [];
    const slept = await c.call('sleep', { ms: 20 }, { onprogress: (f) => progress.push(f.op) });
    assert.equal(slept.text, 'slept 20 ms');
    assert.deepEqual(progress, ['call_tool_ack', 'progress']);
    await assert.rejects(c.call('none'), code('TOOL_NOT_FOUND'));
    await assert.rejects(c.call('echo', { text: 1 }), code('VALIDATION_ERROR'));
    await c.close();
    const ended = await c.event('ended');
    assert.equal(ended.code, 1000);
    assert.equal(c.state, 'ended');
    await assert.rejects(c.request(1), code('closed'));
    assert.throws(() => c.send(1), code('closed'));
  });

  test('more requests than may be in flight', async (t) => {
    const c = client(t, await daemon(t), { maxInFlight: 5, ackEvery: 7 });
    const numbers = upTo(300);
    assert.deepEqual(await Promise.all(numbers.map((n) => c.request(n))), numbers);
    assert.equal(c.seq, 300);
    assert.deepEqual(c.types(), ['open']);
  });

  test('a bad token ends the client and is not told', async (t) => {
    const c = client(t, await daemon(t, '--token', 'right'), { token: 'secret-but-wrong' });
    const waiting = c.request(1).catch((err) => err);
    await assert.rejects(c.ready, code('closed'));
    assert.equal((await waiting).code, 'closed');
    const [ended] = c.events;
    assert.deepEqual(c.types(), ['ended']);
    assert.equal(ended.code, 4003);
    assert.doesNotMatch(JSON.stringify(c.events) + String(await waiting), /secret/);
    const good = client(t, await daemon(t, '--token', 'right'), { token: 'right' });
    assert.equal(await good.request(1), 1);
  });

  test('a session that idles out is replaced, and the client says so', async (t) => {
    const url = await daemon(t, '--grace', '200ms');
    const c = client(t, url, { idleSeconds: 0.2, keepAlive: false, wantExpiring: true });
    await c.ready;
    const first = c.sessionId;
    const over = await c.event('newsession');
    assert.equal(over.code, 4200);
    assert.equal(over.oldSessionId, first);
    assert.notEqual(c.sessionId, first);
    assert.equal(c.seq, 0);
    assert.deepEqual(c.types().slice(0, 4), ['open', 'expiring', 'down', 'newsession']);
    assert.equal(c.events[1].reason, 'idle');
    assert.equal(c.events[2].delayMs, 0);
  });

  test('pings keep a session that has nothing to say', async (t) => {
    const url = await daemon(t);
    const options = { idleSeconds: 5, pingEveryMs: 50, pongTimeoutMs: 1500 };
    const kept = client(t, url, options);
    const left = client(t, url, { ...options, keepAlive: false });
    assert.equal((await left.event('newsession')).code, 4200);
    assert.ok(!kept.types().includes('newsession'));
  });

  test('whoever resumes elsewhere takes over, and the first stops', async (t) => {
    const url = await daemon(t);
    const storage = new Storage();
    const first = client(t, url, { storage });
    assert.equal(await first.request(1), 1);
    const unknown = assert.rejects(first.call('sleep', { ms: 60_000 }), code('unknown'));
    await first.request(2); // so that the call has arrived
    const copy = new Storage(storage);
    const second = client(t, url, { storage: copy });
    await second.ready;
    assert.equal((await first.event('ended')).code, 4300);
    await unknown;
    assert.equal(second.sessionId, second.events[0].sessionId);
    assert.equal(second.events[0].resumed, true);
    assert.equal(storage.getItem('curfew'), null);
    assert.equal(JSON.parse(copy.getItem('curfew')).id, second.sessionId);
    await second.close();
    assert.equal(copy.getItem('curfew'), null);
  });

  test('a message that is too large ends the session, not the patience', async (t) => {
    const c = client(t, await daemon(t, '--max-message-bytes', '1024'));
    await assert.rejects(c.request('x'.repeat(2000)), code('unknown'));
    const down = await c.event('down');
    assert.deepEqual([down.code, down.action], [1009, 'fault']);
    assert.equal((await c.event('ended')).code, 4303);
  });

  test('with the WebSocket of Node itself', { skip: !globalThis.WebSocket }, async (t) => {
    const url = await daemon(t);
    const storage = new Storage();
    const first = client(t, url, { WebSocket: globalThis.WebSocket, storage });
    assert.equal(await first.request(1), 1);
    const second = client(t, url, {
      WebSocket: globalThis.WebSocket, storage: new Storage(storage), pingEveryMs: 20,
    });
    assert.equal(await second.request(2), 2);
    assert.equal((await first.event('ended')).code, 4300);
    assert.equal(second.events[0].resumed, true);
    const none = client(t, 'ws://127.0.0.1:1/ws', { WebSocket: globalThis.WebSocket });
    assert.equal((await none.event('down')).code, 1006);
    await second.close();
    assert.equal(second.events.at(-1).code, 1000);
  });

  test('what is given up', async (t) => {
    const c = client(t, await daemon(t), { maxQueued: 4 });
    const stops = [new AbortController(), new AbortController()];
    const sleep = (ms, why, options) =>
      assert.rejects(c.call('sleep', { ms }, options), code(why));
    const all = [
      sleep(60_000, 'aborted', { signal: stops[0].signal }),
      sleep(60_000, 'timeout', { timeoutMs: 50 }),
      sleep(200, 'aborted', { signal: stops[1].signal, onprogress: () => stops[1].abort() }),
    ];
    const open = sleep(60_000, 'unknown');
    await assert.rejects(c.request(5), code('full'));
    assert.throws(() => c.send(5), code('full'));
    await Promise.all(all.slice(1));
    stops[0].abort();
    await all[0];
    await assert.rejects(c.request(1, { signal: stops[0].signal }), code('aborted'));
    assert.equal((await c.event('unclaimed')).frame.text, 'slept 200 ms');
    c.close();
    await open;
  });
});

/** What sessionStorage is in a browser, as far as a client needs it. */
class Storage {
  #items;
  constructor(other) { this.#items = new Map(other?.#items); }
  getItem(key) { return this.#items.get(key) ?? null; }
  setItem(key, value) { this.#items.set(key, String(value)); }
  removeItem(key) { this.#items.delete(key); }
}

describe('against a script', { concurrency }, () => {
  test('a lost hello_ack: the same token again, and nothing before the answer', async (t) => {
    const server = await scripted(t,
      async (p) => { await p.welcome(); p.say(push(1)); await p.hear('ack'); p.hangUp(); },
      async (p) => {
        assert.deepEqual((await p.hear('hello')).resume, { token: 'T1', seq: 1 });
        await p.hear('closed'); // without a word in between
      },
      async (p) => {
        const hello = await p.resume({ seq: 2, resume_token: 'T3' }, push(2));
        assert.deepEqual(hello.resume, { token: 'T1', seq: 1 });
        assert.equal((await p.hear('message')).data, 'meanwhile');
        p.hangUp();
      },
      async (p) => {
        assert.deepEqual((await p.resume({ seq: 2 })).resume, { token: 'T3', seq: 2 });
      });
    const c = client(t, server.url, { helloTimeoutMs: 2000 });
    await c.event('down');
    c.request('meanwhile').catch(() => {});
    await server.all();
    assert.deepEqual(c.events.filter((e) => e.type === 'message').map((e) => e.data), [1, 2]);
  });

  test('doubles are dropped, holes are fetched', async (t) => {
    const server = await scripted(t,
      async (p) => {
        await p.welcome();
        p.say(push(1), push(1), push(2), push(1), push(4), push(5));
        await p.hear('closed');
      },
      async (p) => {
        assert.deepEqual((await p.resume({ seq: 5 }, push(2), push(3), push(4), push(5))).resume,
          { token: 'T1', seq: 2 });
        p.say(push(5), push(6));
        await p.acked(6);
      });
    const c = client(t, server.url);
    await server.all();
    assert.deepEqual(c.events.filter((e) => e.type === 'message').map((e) => e.data), upTo(6));
    assert.ok(!c.types().includes('gap'));
  });

  test('after the replay what has no answer is sent again under its request_id', async (t) => {
    const seen = [];
    const server = await scripted(t,
      async (p) => {
        await p.welcome();
        for (let i = 0; i < 3; i++) seen.push(await p.hear('message'));
        seen.push(await p.hear('list_tools'));
        p.hangUp();
      },
      async (p) => {
        await p.resume({ seq: 1 }, answer(1, seen[1]));
        assert.deepEqual(await p.hear('message'), seen[0]);
        assert.deepEqual(await p.hear('message'), seen[2]);
        assert.deepEqual(await p.hear('list_tools'), seen[3]);
        p.say(
          { op: 'error', error: { code: 'DUPLICATE', message: 'it runs' },
            request_id: seen[0].request_id },
          { op: 'list_tools_res', request_id: seen[3].request_id, tools: [{ name: 'x' }] },
          answer(2, seen[2]), answer(3, seen[0]));
        await p.hear('bye');
        p.ws.close(1000);
      });
    const c = client(t, server.url);
    const all = await Promise.all([c.request(0), c.request(1), c.request(2), c.listTools()]);
    assert.deepEqual(all, [0, 1, 2, [{ name: 'x' }]]);
    assert.equal(new Set(seen.map((f) => f.request_id)).size, 4);
    assert.ok(!c.types().includes('unclaimed'));
    await c.close();
    await server.all();
  });

  test('a gap: what may have fallen into it is unknown, the rest goes on', async (t) => {
    const seen = [];
    const server = await scripted(t,
      async (p) => {
        await p.welcome();
        for (let i = 0; i < 2; i++) seen.push(await p.hear('message'));
        seen.push(await p.hear('list_tools'));
        p.hangUp();
      },
      async (p) => {
        await p.resume({ gap: true, seq: 70 }, push(69), answer(70, seen[1]));
        assert.deepEqual(await p.hear('list_tools'), seen[2]);
        p.say({ op: 'list_tools_res', request_id: seen[2].request_id, tools: [] });
        p.say(answer(71, await p.hear('message'), 'after'));
        p.hangUp();
      },
      async (p) => { // nothing at all is kept
        assert.equal((await p.resume({ gap: true, seq: 100 })).resume.seq, 71);
        p.say(push(101));
        await p.acked(101);
      });
    const c = client(t, server.url);
    const [lost, kept, tools] = [c.request('lost'), c.request('kept'), c.listTools()];
    await assert.rejects(lost, code('unknown'));
    assert.equal(await kept, 'kept');
    assert.deepEqual(await tools, []);
    assert.equal(await c.request('later'), 'after');
    await server.all();
    assert.deepEqual(c.events.filter((e) => e.type === 'message').map((e) => e.data), [69, 101]);
    assert.equal(c.types().filter((type) => type === 'gap').length, 2);
  });

  test('a session that is over: what was sent is unknown, what was not is sent', async (t) => {
    const server = await scripted(t,
      async (p) => { await p.welcome(); await p.hear('message'); p.hangUp(); },
      async (p) => {
        await p.refuse(4203, { error: 'resume_unknown' });
      },
      async (p) => {
        assert.equal((await p.welcome({ session_id: 'S2', resume_token: 'U1' })).resume, undefined);
        p.say(answer(1, await p.hear('message')));
        p.ws.close(4201, 'session lifetime');
      },
      async (p) => { await p.welcome({ session_id: 'S3' }); });
    const c = client(t, server.url);
    const lost = c.request('lost');
    await c.event('down');
    const waiting = c.request('waiting');
    await assert.rejects(lost, code('unknown'));
    assert.equal(await waiting, 'waiting');
    await server.all();
    if (c.sessionId !== 'S3') await once(c, 'open');
    const over = c.events.filter((e) => e.type === 'newsession');
    assert.deepEqual(over.map((e) => [e.code, e.oldSessionId]), [[4203, 'S'], [4201, 'S2']]);
  });

  test('no resume to be had: every loss is a new session', async (t) => {
    const without = { resume_token: undefined, resumed: undefined, gap: undefined, seq: undefined };
    const server = await scripted(t,
      async (p) => { await p.welcome(without); p.hangUp(); },
      async (p) => assert.equal((await p.welcome(without)).resume, undefined));
    const c = client(t, server.url, { storage: new Storage() });
    assert.equal((await c.event('newsession')).code, 1006);
    await server.all();
  });

  test('the server says when to come back', async (t) => {
    const server = await scripted(t,
      async (p) => {
        await p.refuse(1013, { error: 'unavailable', retry_after: 0.2 });
      },
      async (p) => { await p.welcome(); p.say({ op: 'goodbye', retry_after_ms: 300 });
        await new Promise((resolve) => { setTimeout(resolve, 50); });
        p.ws.close(4100, 'draining'); },
      async (p) => { await p.resume({ seq: 0 }); p.say(answer(1, await p.hear('message'))); });
    const c = client(t, server.url);
    await c.event('goodbye');
    assert.equal(await c.request('while it drains'), 'while it drains');
    await server.all();
    const downs = c.events.filter((e) => e.type === 'down');
    assert.deepEqual(downs.map((e) => e.code), [1013, 4100]);
    assert.ok(downs[0].delayMs >= 200 && downs[0].delayMs < 240, `${downs[0].delayMs}`);
    assert.ok(downs[1].delayMs >= 300 && downs[1].delayMs < 340, `${downs[1].delayMs}`);
  });

  test('acks come by number and by time', async (t) => {
    const server = await scripted(t, async (p) => {
      await p.welcome();
      p.say(...upTo(5).map(push));
      for (const seq of [2, 4, 5]) assert.equal((await p.hear('ack')).seq, seq);
    });
    client(t, server.url, { ackEvery: 2, ackAfterMs: 50 });
    await server.all();
  });

  test('a server that is silent is dead', async (t) => {
    const server = await scripted(t,
      async (p) => { await p.welcome(); await p.hear('ping'); await p.hear('closed'); },
      async (p) => { await p.resume({ seq: 0 }); p.say(push(1)); });
    const c = client(t, server.url, { pingEveryMs: 30, pongTimeoutMs: 1500 });
    await c.event('message');
    await server.all();
    assert.equal(c.events.find((e) => e.type === 'down').reason, 'no answer to a ping');
  });

  for (const wrong of ['no JSON', '[1]', 'null', '{"op":7}']) {
    test(`${wrong} is no frame, and not borne for ever`, async (t) => {
      const bad = async (p) => { await p.hear('hello'); p.say(wrong); };
      const server = await scripted(t, bad, bad, bad);
      const c = client(t, server.url, { faultsMax: 2 });
      assert.equal((await c.event('ended')).code, 1002);
      assert.deepEqual(c.types(), ['down', 'down', 'ended']);
      await server.all();
    });
  }

  test('ops of another time are passed over', async (t) => {
    const server = await scripted(t, async (p) => {
      await p.welcome();
      p.say({ op: 'from_the_future', seq: 1 }, { op: 'error', error: { code: 'X', message: 'y' } },
        push(2));
    });
    const c = client(t, server.url);
    assert.equal((await c.event('message')).data, 2);
    assert.deepEqual(c.types(), ['open', 'error', 'message']);
  });
});

test('docs/client.md has the same table of close codes', () => {
  const text = readFileSync(new URL('../../client.md', import.meta.url), 'utf8');
  let rows = 0;
  for (const [, codes, action] of text.matchAll(/^\| ([\d, -]+) \|.*\| `(\w+)` \|/gm)) {
    for (const part of codes.split(', ')) {
      const [from, to = from] = part.split('-').map(Number);
      for (let c = from; c <= to; c++) {
        assert.equal(actionFor(c), action, `${c}`);
        rows++;
      }
    }
  }
  assert.ok(rows > 20, `${rows} codes found`);
});
