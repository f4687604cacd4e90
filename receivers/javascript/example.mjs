// A receiver as it should be: it verifies first, keeps each event in a database before it answers, drops duplicates, and
// does its work after the answer, also after a crash.
//
//   npm ci && WEBHOOK_SECRET=… node example.mjs
//
// PORT is 3000 by default, DATABASE receiver.db, and KEEP_DAYS 90: for so long an event is known. It must be longer than
// the longest time after which Courier may send an event again: the destination's schedule plus the retention of Temporal.

import { createServer } from 'node:http';
import sqlite from 'node-sqlite3-wasm';
import { SignatureError, verify } from './courier.mjs';

const { WEBHOOK_SECRET = '', WEBHOOK_SECRET_OLD = '', PORT = '3000', DATABASE = 'receiver.db', KEEP_DAYS = '90' } = process.env;
const MAX_BODY_BYTES = 1 << 20;
const DAY = 24 * 60 * 60 * 1000;

const database = new sqlite.Database(DATABASE);
database.exec('CREATE TABLE IF NOT EXISTS events (id TEXT PRIMARY KEY, received INTEGER NOT NULL, body TEXT, done INTEGER)');

// What should happen for an event. It may run twice for one event, when the machine crashes in between.
async function handle(event) {
    console.log(`handled ${event.type} ${event.eventId}`);
}

// Works off what is stored, the oldest first, one at a time.
let working = false;
async function work() {
    if (working) return;
    working = true;
    try {
        for (;;) {
            const row = database.get('SELECT id, body FROM events WHERE done IS NULL ORDER BY received LIMIT 1');
            if (!row) break;
            await handle(JSON.parse(row.body));
            // The id stays, so that the event is known when it comes again; its content is not needed any more.
            database.run('UPDATE events SET done = ?, body = NULL WHERE id = ?', [Date.now(), row.id]);
        }
    } catch (error) {
        console.error('the work goes on in 10 s:', error.message);
        setTimeout(work, 10_000).unref();
    } finally {
        working = false;
    }
}

function forget() {
    database.run('DELETE FROM events WHERE done < ?', [Date.now() - Number(KEEP_DAYS) * DAY]);
}

async function read(request) {
    const chunks = [];
    let size = 0;
    for await (const chunk of request) {
        size += chunk.length;
        if (size > MAX_BODY_BYTES) return null;
        chunks.push(chunk);
    }
    return Buffer.concat(chunks);
}

async function receive(request) {
    if (request.method !== 'POST') return [405, 'only POST'];
    const body = await read(request);
    if (body === null) return [413, 'the body is too large'];
    let event;
    try {
        event = verify(body, request.headers['x-gitbook-signature'], [WEBHOOK_SECRET, WEBHOOK_SECRET_OLD]);
    } catch (error) {
        // Without a secret every event would be lost: a 500 has the sender try again.
        if (error instanceof SignatureError) return [error.code === 'no_secret' ? 500 : 401, error.message];
        throw error;
    }
    // The id is taken from the body, which is signed.
    if (typeof event.eventId !== 'string') return [400, 'the event has no eventId'];
    const { changes } = database.run('INSERT OR IGNORE INTO events (id, received, body) VALUES (?, ?, ?)', [event.eventId, Date.now(), body.toString()]);
    return [200, changes === 0 ? 'known already' : 'stored'];
}

const server = createServer((request, response) => {
    receive(request)
        .catch((error) => {
            console.error(error.message);
            return [500, 'internal error']; // so that the sender tries again
        })
        .then(([status, text]) => {
            response.writeHead(status, { 'Content-Type': 'text/plain' }).end(text);
            setImmediate(work);
        });
});

forget();
setInterval(forget, DAY / 24).unref();
work();
server.listen(Number(PORT), '127.0.0.1', () => console.log(`listening on http://127.0.0.1:${server.address().port}`));
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => server.close(() => database.close()));
