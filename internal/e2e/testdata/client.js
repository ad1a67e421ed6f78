// A client on npm's ws for the end-to-end tests: node client.js SCENARIO URL SECONDS [SOURCE]
// SOURCE is the address to dial from.
// It writes one JSON object a line about what happens; the test judges.
'use strict';
const WebSocket = require('ws');

const [scenario, url, seconds, source] = process.argv.slice(2);
const timeout = Number(seconds) * 1000;
const say = (event, more) => console.log(JSON.stringify({ event, ...more }));

let began; // just before the hello was sent
const protocol = scenario === 'raw' ? 'curfew.raw' : 'curfew.v1';
const ws = new WebSocket(url, [protocol], { localAddress: source });
const since = () => performance.now() - began;

ws.on('open', () => {
  began = performance.now();
  if (scenario === 'raw') {
    ws.send('zwölf €');
    ws.send(Buffer.from([0, 1, 255]));
  } else {
    ws.send(JSON.stringify({ op: 'hello' }));
  }
});
ws.on('message', (data, binary) => {
  if (scenario === 'raw') {
    say(binary ? 'binary' : 'text', { data: binary ? data.toString('hex') : data.toString() });
    if (binary) ws.close(1000);
    return;
  }
  const frame = JSON.parse(data);
  say(frame.op, { frame, ms: since() });
  if (frame.op === 'hello_ack' && scenario === 'talk') talk();
});
ws.on('close', (code) => say('close', { code, ms: since() }));
ws.on('error', (err) => {
  say('error', { message: err.message });
  process.exit(1);
});

// talk keeps the session alive for three timeouts and leaves.
function talk() {
  const timer = setInterval(() => {
    if (since() < 3 * timeout) {
      ws.send(JSON.stringify({ op: 'message', data: 'x', request_id: Math.round(since()) }));
      return;
    }
    clearInterval(timer);
    ws.send(JSON.stringify({ op: 'session_info' }));
    ws.send(JSON.stringify({ op: 'bye' }));
  }, timeout / 8);
}
