// Verifies webhooks of Courier and of GitBook. One file without dependencies: copy it, with courier.d.mts for its types.
// It needs node:crypto, which Node.js, Deno and Bun have.
//
//   const event = verify(rawBody, request.headers['x-gitbook-signature'], [process.env.WEBHOOK_SECRET]);
//
// The body must be the bytes as they came. JSON that was parsed and written again does not verify.

import { createHmac, timingSafeEqual } from 'node:crypto';

/** How far, in seconds, the time of a signature may be from the receiver's clock: 5 minutes. */
export const DEFAULT_TOLERANCE = 300;

const MESSAGES = {
    no_secret: 'there is no secret to verify with',
    missing: 'the signature is missing',
    malformed: 'the signature is not of the form that its header has',
    mismatch: 'the signature does not match',
    too_old: 'the signature is too old',
    too_new: "the signature's time is in the future",
    not_an_event: 'the body is signed, and is not one JSON object',
};

/** Says in `code` why a webhook was refused; `no_secret` is the receiver's own mistake, everything else the sender's. */
export class SignatureError extends Error {
    constructor(code) {
        super(MESSAGES[code]);
        this.name = 'SignatureError';
        this.code = code;
    }
}

/**
 * Returns the event of a webhook whose X-GitBook-Signature verifies, and throws a SignatureError for any other.
 *
 * While a secret is replaced, give the old one and the new one: any v1 of the header may match any of them.
 */
export function verify(body, signature, secrets, options = {}) {
    const bytes = toBytes(body);
    verifyBytes(bytes, signature, secrets, options);
    return parse(bytes);
}

/** Like verify, for a body that is not an event, such as the one of a `fetch` delivery. Returns nothing. */
export function verifyBytes(body, signature, secrets, options = {}) {
    const keys = usable(secrets);
    if (typeof signature !== 'string' || signature.trim() === '') throw new SignatureError('missing');
    const times = [];
    const macs = [];
    for (const element of signature.split(',')) {
        const trimmed = element.replace(/^[ \t]+|[ \t]+$/g, '');
        const at = trimmed.indexOf('=');
        if (at < 0) continue;
        const name = trimmed.slice(0, at);
        const value = trimmed.slice(at + 1);
        if (name === 't') times.push(value);
        if (name === 'v1' && /^[0-9a-fA-F]{64}$/.test(value)) macs.push(Buffer.from(value, 'hex'));
    }
    if (times.length !== 1 || !isTime(times[0]) || macs.length === 0) throw new SignatureError('malformed');
    compare(keys, `${times[0]}.`, toBytes(body), macs);
    checkTime(Number(times[0]), options);
}

/**
 * Returns the event of a webhook whose webhook-signature verifies, as the Standard Webhooks specification has it. Unlike
 * GitBook's own signature, it covers the id, by which duplicates are dropped.
 */
export function verifyStandard(body, { id, timestamp, signature }, secrets, options = {}) {
    const keys = usable(secrets);
    if (!id || !timestamp || !signature) throw new SignatureError('missing');
    const macs = [];
    for (const element of signature.split(' ')) {
        const [version, value] = element.split(',', 2);
        const mac = Buffer.from(value ?? '', 'base64');
        if (version === 'v1' && mac.length === 32) macs.push(mac);
    }
    if (!isTime(timestamp) || macs.length === 0) throw new SignatureError('malformed');
    const bytes = toBytes(body);
    compare(keys, `${id}.${timestamp}.`, bytes, macs);
    checkTime(Number(timestamp), options);
    return parse(bytes);
}

function usable(secrets) {
    const keys = (Array.isArray(secrets) ? secrets : [secrets]).filter((secret) => secret);
    if (keys.length === 0) throw new SignatureError('no_secret');
    return keys;
}

// A time of 12 digits is in the year 33658: no sum or difference of such loses precision.
const isTime = (text) => /^[0-9]{1,12}$/.test(text);

// Every signature is compared with that of every secret, each in constant time.
function compare(keys, prefix, bytes, macs) {
    let matched = false;
    for (const key of keys) {
        const want = createHmac('sha256', key).update(prefix).update(bytes).digest();
        for (const mac of macs) matched = timingSafeEqual(mac, want) || matched;
    }
    if (!matched) throw new SignatureError('mismatch');
}

// The time is judged last: too_old and too_new are said of genuine signatures only. A tolerance that is no number, such as
// that of an unset variable, refuses every time.
function checkTime(sentAt, { tolerance = DEFAULT_TOLERANCE, now = Date.now() / 1000 }) {
    if (!(now - sentAt <= tolerance)) throw new SignatureError('too_old');
    if (!(sentAt - now <= tolerance)) throw new SignatureError('too_new');
}

const toBytes = (body) => (typeof body === 'string' ? Buffer.from(body) : Buffer.from(body.buffer ?? body, body.byteOffset ?? 0, body.byteLength));

function parse(bytes) {
    let event;
    try {
        event = JSON.parse(bytes.toString());
    } catch {
        throw new SignatureError('not_an_event');
    }
    if (event === null || typeof event !== 'object' || Array.isArray(event)) throw new SignatureError('not_an_event');
    return event;
}
