import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { load } from 'js-yaml';
import { forward, type Surroundings, TIME_LIMIT } from '../src/forward';
import script from '../src/index';

const environment = { secrets: { COURIER_URL: 'https://courier.example.com/', COURIER_TOKEN: 'streng-geheim' }, apiTokens: { integration: 'gb_token' } };

function requestWith(env: unknown, event = '{ "eventId":"evt_1",\n "type":"site_view" }'): Request {
    const form = new FormData();
    form.set('event', event);
    form.set('environment', typeof env === 'string' ? env : JSON.stringify(env));
    form.set('fetch-body', new Blob([new Uint8Array([0, 255, 13, 10])]));
    return new Request('https://runtime.example.com/v1', { method: 'POST', body: form });
}

interface Call {
    url: string;
    init: RequestInit;
}

// Surroundings with a Courier that answers as the script says, and a clock that only waits move.
function surroundings(...answers: Array<Response | Error>) {
    const calls: Call[] = [];
    const logged: string[] = [];
    const slept: number[] = [];
    let clock = 0;
    const on: Surroundings = {
        fetch: async (url, init) => {
            calls.push({ url, init });
            const answer = answers[Math.min(calls.length, answers.length) - 1];
            if (answer instanceof Error) throw answer;
            return answer!.clone() as Response;
        },
        now: () => clock,
        sleep: async (milliseconds) => {
            slept.push(milliseconds);
            clock += milliseconds;
        },
        log: (message) => logged.push(message),
    };
    return { on, calls, logged, slept };
}

const ok = () => new Response('OK', { status: 200, headers: { 'content-type': 'text/plain', 'courier-delivery': 'evt_1@search' } });

test('the request goes to Courier byte for byte, and its answer back', async () => {
    const request = requestWith(environment);
    const want = Buffer.from(await request.clone().arrayBuffer());
    const { on, calls, logged } = surroundings(ok());
    const answer = await forward(request, on);
    assert.equal(answer.status, 200);
    assert.equal(answer.headers.get('content-type'), 'text/plain');
    assert.equal(await answer.text(), 'OK');
    assert.equal(calls.length, 1);
    const call = calls[0]!;
    assert.equal(call.url, 'https://courier.example.com/v1');
    assert.equal(call.init.method, 'POST');
    assert.equal(call.init.redirect, 'manual');
    assert.deepEqual(call.init.headers, { 'content-type': request.headers.get('content-type'), authorization: 'Bearer streng-geheim' });
    assert.ok(Buffer.from(call.init.body as ArrayBuffer).equals(want));
    assert.ok(call.init.signal instanceof AbortSignal);
    assert.deepEqual(logged, []);
});

test('errors of Courier are GitBook’s to see, except that it cannot be reached', async (t) => {
    for (const [name, answers, status, calls] of [
        ['refused', [new Response('{"error":"x"}', { status: 406 })], 406, 1],
        ['broken', [new Response('', { status: 500 })], 500, 1],
        ['busy, then taken', [new Response('', { status: 503 }), ok()], 200, 2],
        ['busy', [new Response('', { status: 503 })], 503, 3],
        ['down, then up', [new TypeError('fetch failed'), ok()], 200, 2],
        ['down', [new TypeError('fetch failed')], 502, 3],
        ['a redirect', [new Response('', { status: 302, headers: { location: 'https://evil.example.com/' } })], 502, 3],
    ] as Array<[string, Array<Response | Error>, number, number]>) {
        await t.test(name, async () => {
            const s = surroundings(...answers);
            const answer = await forward(requestWith(environment), s.on);
            assert.equal(answer.status, status);
            assert.equal(s.calls.length, calls);
            assert.ok(s.slept.reduce((sum, wait) => sum + wait, 0) < TIME_LIMIT);
            assert.ok(!s.logged.join().includes('geheim'));
        });
    }
});

test('there is no second try when the time is over', async () => {
    const s = surroundings(new TypeError('fetch failed'));
    let calls = 0;
    s.on.now = () => (calls++ < 2 ? 0 : TIME_LIMIT - 100);
    assert.equal((await forward(requestWith(environment), s.on)).status, 502);
    assert.equal(s.calls.length, 1);
});

test('without an address and a token nothing is sent', async (t) => {
    for (const [name, env, says] of [
        ['no secrets', {}, 'must be set'],
        ['no token', { secrets: { COURIER_URL: 'https://courier.example.com' } }, 'must be set'],
        ['no URL', { secrets: { COURIER_URL: 'courier', COURIER_TOKEN: 'geheim' } }, 'is not a URL'],
        ['not encrypted', { secrets: { COURIER_URL: 'http://courier.example.com', COURIER_TOKEN: 'geheim' } }, 'must begin with https://'],
        ['no JSON', 'geheim', 'has no environment'],
    ] as Array<[string, unknown, string]>) {
        await t.test(name, async () => {
            const s = surroundings(ok());
            const answer = await forward(requestWith(env), s.on);
            assert.equal(answer.status, 500);
            assert.deepEqual(await answer.json(), { error: 'Internal server error' });
            assert.equal(s.calls.length, 0);
            assert.ok(s.logged.join().includes(says), s.logged.join());
            assert.ok(!s.logged.join().includes('geheim'));
        });
    }
});

test('a Courier on this machine may do without TLS', async () => {
    const s = surroundings(ok());
    await forward(requestWith({ secrets: { COURIER_URL: 'http://127.0.0.1:8080', COURIER_TOKEN: 'x' } }), s.on);
    assert.equal(s.calls[0]!.url, 'http://127.0.0.1:8080/v1');
});

test('the script has what GitBook calls', () => assert.equal(typeof script.fetch, 'function'));

// The members that GitBook's command line requires, and the component that Courier draws.
test('the manifest', () => {
    const manifest = load(readFileSync(new URL('../gitbook-manifest.yaml', import.meta.url), 'utf8')) as Record<string, unknown>;
    assert.match(manifest.name as string, /^[a-z0-9]+(?:-[a-z0-9]+)*$/);
    assert.equal(manifest.script, './src/index.ts');
    assert.deepEqual(manifest.scopes, ['space:content:read', 'site:views:read', 'page:feedback:read']);
    assert.deepEqual(manifest.configurations, { space: { componentId: 'config' }, site: { componentId: 'config' } });
    assert.equal((manifest.externalLinks as unknown[]).length, 1);
    assert.deepEqual(Object.keys(manifest.secrets as object), ['COURIER_URL', 'COURIER_TOKEN']);
    const icon = readFileSync(new URL(`../${manifest.icon as string}`, import.meta.url));
    assert.equal(icon.subarray(1, 4).toString(), 'PNG');
    assert.ok(icon.length < 250 * 1024);
});
