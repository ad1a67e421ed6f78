// An echo server on npm's ws with its defaults, and compression, which it leaves off:
//
//   node echo.js [MS]   ends, with 4000, a connection whose client sends no message for so long
//
// It serves on a free port of the loopback address and says where in a line of JSON.
'use strict';
const { WebSocketServer } = require('ws');

const idle = Number(process.argv[2] ?? 0);
const server = new WebSocketServer({ host: '127.0.0.1', port: 0, perMessageDeflate: true });
server.on('listening', () => {
  const address = `127.0.0.1:${server.address().port}`;
  console.log(JSON.stringify({ event: 'listening', address }));
});
server.on('connection', (socket) => {
  const timer = idle > 0 && setTimeout(() => socket.close(4000, 'idle'), idle);
  socket.on('error', () => {}); // ws has answered the fault; nobody else needs to know
  socket.on('close', () => clearTimeout(timer));
  socket.on('message', (data, binary) => {
    if (timer) timer.refresh();
    socket.send(data, { binary });
  });
});
