// Hosts a script as GitBook does: node serve.mjs SCRIPT listens on a free port of this machine and prints the address.
import { createServer } from 'node:http';
import { pathToFileURL } from 'node:url';

const { default: script } = await import(pathToFileURL(process.argv[2]).href);
// What a script prints is for its log.
console.log = console.debug = console.error;

const server = createServer({ keepAliveTimeout: 0 }, async (incoming, outgoing) => {
    const chunks = [];
    for await (const chunk of incoming) chunks.push(chunk);
    const request = new Request(`http://${incoming.headers.host}${incoming.url}`, {
        method: incoming.method,
        headers: { 'content-type': incoming.headers['content-type'] ?? '' },
        body: incoming.method === 'POST' ? Buffer.concat(chunks) : undefined,
    });
    const answer = await script.fetch(request, {}, { waitUntil: () => {} });
    outgoing.writeHead(answer.status, Object.fromEntries(answer.headers));
    outgoing.end(Buffer.from(await answer.arrayBuffer()));
});
server.listen(0, '127.0.0.1', () => process.stdout.write(`listening on http://127.0.0.1:${server.address().port}\n`));
