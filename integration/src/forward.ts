/** How long all tries together may take, in milliseconds. GitBook waits some ten seconds for the answer. */
export const TIME_LIMIT = 8_000;

/** The waits before the second and the third try. Courier recognizes an event that it has stored already. */
export const WAITS = [500, 2_000];

/** What the script needs of its surroundings. */
export interface Surroundings {
    fetch(input: string, init: RequestInit): Promise<Response>;
    /** Milliseconds since 1970. */
    now(): number;
    sleep(milliseconds: number): Promise<void>;
    log(message: string): void;
}

interface Courier {
    url: string;
    token: string;
}

/**
 * Passes a request of GitBook's dispatcher on to Courier, byte for byte, and Courier's answer back. When Courier cannot be
 * reached the answer is a 502, so that GitBook's log of the integration's events has the event as failed.
 */
export async function forward(request: Request, on: Surroundings): Promise<Response> {
    const contentType = request.headers.get('content-type') ?? '';
    const body = await request.arrayBuffer();
    let courier: Courier;
    try {
        courier = settings(await environmentOf(body, contentType));
    } catch (error) {
        on.log((error as Error).message);
        return failure(500, 'Internal server error');
    }
    const end = on.now() + TIME_LIMIT;
    for (let attempt = 0; ; attempt++) {
        const answer = await send(courier, body, contentType, end - on.now(), on);
        const wait = WAITS[attempt];
        if (answer && (answer.status !== 503 || wait === undefined || on.now() + wait >= end)) return answer;
        if (wait === undefined || on.now() + wait >= end) return failure(502, 'Courier cannot be reached');
        await on.sleep(wait);
    }
}

/** One try. Nothing comes back when Courier does not answer. */
async function send(courier: Courier, body: ArrayBuffer, contentType: string, limit: number, on: Surroundings): Promise<Response | undefined> {
    try {
        const answer = await on.fetch(`${courier.url}/v1`, {
            method: 'POST',
            headers: { 'content-type': contentType, authorization: `Bearer ${courier.token}` },
            body,
            redirect: 'manual',
            signal: AbortSignal.timeout(Math.max(1, limit)),
        });
        if (answer.status >= 300 && answer.status < 400) {
            // Followed, the POST would become an empty GET, and the token would go elsewhere.
            on.log(`Courier's address answers with a redirect; let the secret COURIER_URL be the final address`);
            return undefined;
        }
        const headers = new Headers();
        for (const name of ['content-type', 'retry-after']) {
            const value = answer.headers.get(name);
            if (value) headers.set(name, value);
        }
        return new Response(await answer.arrayBuffer(), { status: answer.status, headers });
    } catch (error) {
        // The error's own text may hold the address, not more.
        on.log(`Courier does not answer: ${(error as Error).name}`);
        return undefined;
    }
}

/** The environment of a request. */
async function environmentOf(body: ArrayBuffer, contentType: string): Promise<unknown> {
    try {
        const form = await new Response(body, { headers: { 'content-type': contentType } }).formData();
        return JSON.parse(String(form.get('environment')));
    } catch {
        throw new Error('the request is not one of GitBook: it has no environment');
    }
}

/** Where Courier is: secrets of the integration, which GitBook puts into the environment. */
function settings(environment: unknown): Courier {
    const secrets = (environment as { secrets?: Record<string, unknown> } | null)?.secrets ?? {};
    const { COURIER_URL: url, COURIER_TOKEN: token } = secrets;
    if (typeof url !== 'string' || typeof token !== 'string' || !url || !token) {
        throw new Error('the secrets COURIER_URL and COURIER_TOKEN of the integration must be set; publish it again with them');
    }
    let parsed: URL;
    try {
        parsed = new URL(url);
    } catch {
        throw new Error('the secret COURIER_URL is not a URL');
    }
    const isLocal = ['localhost', '127.0.0.1', '[::1]'].includes(parsed.hostname);
    if (parsed.protocol !== 'https:' && !(parsed.protocol === 'http:' && isLocal)) {
        throw new Error('the secret COURIER_URL must begin with https://, since tokens go there');
    }
    return { url: url.replace(/\/+$/, ''), token };
}

function failure(status: number, error: string): Response {
    return new Response(JSON.stringify({ error }), { status, headers: { 'content-type': 'application/json' } });
}
