// server.mjs: the event that compare.py asks for, by Socket.IO: one string comes back as the acknowledgement.
import { createServer } from 'node:http';
import { Server } from 'socket.io';

const http = createServer();
const io = new Server(http, { transports: ['websocket'] });
io.on('connection', (socket) => socket.on('echo', (text, acknowledge) => acknowledge(text)));
http.listen(0, '127.0.0.1', () => console.log(http.address().port));
