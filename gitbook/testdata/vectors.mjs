// Writes vectors.json, which the Go package and the receivers in JavaScript and Python are tested with. Run it with
// `node vectors.mjs` in this folder. It has two lists: "signed" are signatures made by Node's crypto, with what a verifier
// written like the sample in GitBook's documentation says of them; "received" are headers, and what a receiver must say.

import { createHmac, timingSafeEqual } from 'node:crypto';
import { writeFileSync } from 'node:fs';

const mac = (secret, parts, encoding) => {
    const hmac = createHmac('sha256', secret);
    for (const part of parts) hmac.update(part);
    return hmac.digest(encoding);
};

// Like GitBook's sample: every element of the header overwrites the one of the same name before it, so that the last v1
// is the one that is compared, and the time is not checked.
const sampleVerifies = (header, body, secret) => {
    let t = '';
    let v1 = '';
    for (const element of header.split(',')) {
        const [name, value] = element.split('=');
        if (name === 't') t = value;
        if (name === 'v1') v1 = value;
    }
    const want = Buffer.from(mac(secret, [`${t}.`, body], 'hex'));
    const got = Buffer.from(v1);
    return got.length === want.length && timingSafeEqual(got, want);
};

const documented =
    '{"eventId":"evt_2345678901bcdefg","type":"space_content_updated","spaceId":"space_xyz789",' +
    '"installationId":"inst_def456","revisionId":"rev_abc123def456"}';
const generated = '3q2-7wABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhs';

const cases = [
    { name: 'the documented payload', secrets: [generated], body: documented },
    { name: 'two secrets, the newest first', secrets: ['new-secret', 'old-secret'], body: documented },
    { name: 'three secrets', secrets: ['newest', 'middle', 'oldest'], body: '{"eventId":"e","type":"t"}' },
    { name: 'an empty body', secrets: [generated], body: '' },
    { name: 'characters that encoders escape', secrets: [generated], body: '{"a":"& < > é \u2028 \u{1f680}"}' },
    { name: 'odd spacing and big integers', secrets: [generated], body: ' {\t"n" : 9007199254740993123 \r\n} \n' },
    { name: 'bytes that are not UTF-8', secrets: [generated], body: Buffer.from([0x7b, 0xff, 0x00, 0x0a, 0x7d]) },
    { name: 'a secret beyond ASCII', secrets: ['gehéim \u{1f511}'], body: documented },
    { name: 'a secret longer than a block of SHA-256', secrets: ['k'.repeat(100)], body: documented },
    { name: 'the first second', secrets: [generated], body: documented, timestamp: 0 },
];

const signed = cases.map(({ name, secrets, body, timestamp = 1735689600 }, index) => {
    const bytes = Buffer.from(body);
    const id = `evt_${index}`;
    const header = [
        `t=${timestamp}`,
        ...secrets.map((secret) => `v1=${mac(secret, [`${timestamp}.`, bytes], 'hex')}`),
    ].join(',');
    return {
        name,
        id,
        timestamp,
        secrets,
        body: bytes.toString('base64'),
        signature: header,
        standardSignature: secrets
            .map((secret) => `v1,${mac(secret, [`${id}.${timestamp}.`, bytes], 'base64')}`)
            .join(' '),
        sampleAccepts: secrets.filter((secret) => sampleVerifies(header, bytes, secret)),
    };
});

// The clock of a receiver, and headers for a body that was signed then.
const now = 1735689600;
const v1 = (secret, body = documented, t = now) => `v1=${mac(secret, [`${t}.`, Buffer.from(body)], 'hex')}`;
const standard = (secret, body = documented, id = 'evt_1', t = now) => `v1,${mac(secret, [`${id}.${t}.`, Buffer.from(body)], 'base64')}`;
const reencoded = JSON.stringify(JSON.parse(documented), null, 2);

// Each has the header X-GitBook-Signature, or the three of Standard Webhooks, and is wanted "ok" or with a code.
const received = [
    { name: 'genuine', signature: `t=${now},${v1('one')}`, want: 'ok' },
    { name: 'blanks around elements', signature: ` t=${now} , ${v1('one')}\t`, want: 'ok' },
    { name: 'elements of other schemes', signature: `v0=00,t=${now},v2=abc,${v1('one')},x`, want: 'ok' },
    { name: 'upper-case digits', signature: `t=${now},v1=${v1('one').slice(3).toUpperCase()}`, want: 'ok' },
    { name: 'the first v1 is of another secret', signature: `t=${now},${v1('other')},${v1('one')}`, want: 'ok' },
    { name: 'the last v1 is of another secret', signature: `t=${now},${v1('one')},${v1('other')}`, want: 'ok' },
    { name: 'a v1 that is none besides a genuine one', signature: `t=${now},v1=zz,${v1('one')}`, want: 'ok' },
    { name: 'the receiver knows two secrets', secrets: ['new', 'one'], signature: `t=${now},${v1('one')}`, want: 'ok' },
    { name: 'the receiver has an empty secret too', secrets: ['', 'one'], signature: `t=${now},${v1('one')}`, want: 'ok' },
    { name: 'just within the tolerance', signature: `t=${now - 300},${v1('one', documented, now - 300)}`, want: 'ok' },
    { name: 'just within the tolerance ahead', signature: `t=${now + 300},${v1('one', documented, now + 300)}`, want: 'ok' },
    { name: 'a time with leading zeros', signature: `t=00${now},${v1('one', documented, `00${now}`)}`, want: 'ok' },
    { name: 'no secret', secrets: [], signature: `t=${now},${v1('one')}`, want: 'no_secret' },
    { name: 'only empty secrets', secrets: [''], signature: `t=${now},${v1('')}`, want: 'no_secret' },
    { name: 'no header', signature: '', want: 'missing' },
    { name: 'a blank header', signature: '  ', want: 'missing' },
    { name: 'no time', signature: v1('one'), want: 'malformed' },
    { name: 'two times', signature: `t=${now},t=${now},${v1('one')}`, want: 'malformed' },
    { name: 'a signed time', signature: `t=+${now},${v1('one', documented, `+${now}`)}`, want: 'malformed' },
    { name: 'a fraction', signature: `t=${now}.0,${v1('one', documented, `${now}.0`)}`, want: 'malformed' },
    { name: 'digits of another script', signature: `t=\u0661,${v1('one', documented, '\u0661')}`, want: 'malformed' },
    { name: 'no v1', signature: `t=${now}`, want: 'malformed' },
    { name: 'a v1 that is too short', signature: `t=${now},${v1('one').slice(0, -2)}`, want: 'malformed' },
    { name: 'the obsolete form, a digest alone', signature: v1('one').slice(3), want: 'malformed' },
    { name: 'the obsolete form sha256=', signature: `sha256=${v1('one').slice(3)}`, want: 'malformed' },
    { name: 'another secret', signature: `t=${now},${v1('other')}`, want: 'mismatch' },
    { name: 'the base64 of the secret', signature: `t=${now},${v1(Buffer.from('one').toString('base64'))}`, want: 'mismatch' },
    { name: 'another time than the signed one', signature: `t=${now + 1},${v1('one')}`, want: 'mismatch' },
    { name: 'a body that was written again', body: reencoded, signature: `t=${now},${v1('one')}`, want: 'mismatch' },
    { name: 'a line break more', body: `${documented}\n`, signature: `t=${now},${v1('one')}`, want: 'mismatch' },
    { name: 'too old', signature: `t=${now - 301},${v1('one', documented, now - 301)}`, want: 'too_old' },
    { name: 'too old, of another secret', signature: `t=${now - 301},${v1('other', documented, now - 301)}`, want: 'mismatch' },
    { name: 'ahead', signature: `t=${now + 301},${v1('one', documented, now + 301)}`, want: 'too_new' },
    { name: 'standard', standard: { id: 'evt_1', timestamp: `${now}`, signature: standard('one') }, want: 'ok' },
    { name: 'standard, two signatures', standard: { id: 'evt_1', timestamp: `${now}`, signature: `${standard('new')} ${standard('one')}` }, want: 'ok' },
    { name: 'standard, another version too', standard: { id: 'evt_1', timestamp: `${now}`, signature: `v1a,AAAA ${standard('one')}` }, want: 'ok' },
    { name: 'standard, another id', standard: { id: 'evt_2', timestamp: `${now}`, signature: standard('one') }, want: 'mismatch' },
    { name: 'standard, another secret', standard: { id: 'evt_1', timestamp: `${now}`, signature: standard('other') }, want: 'mismatch' },
    { name: 'standard, too old', standard: { id: 'evt_1', timestamp: `${now - 301}`, signature: standard('one', documented, 'evt_1', now - 301) }, want: 'too_old' },
    { name: 'standard, no id', standard: { id: '', timestamp: `${now}`, signature: standard('one') }, want: 'missing' },
    { name: 'standard, no signature of 32 bytes', standard: { id: 'evt_1', timestamp: `${now}`, signature: 'v1,AAAA' }, want: 'malformed' },
    { name: 'standard, no time', standard: { id: 'evt_1', timestamp: 'now', signature: standard('one') }, want: 'malformed' },
].map(({ name, secrets = ['one'], body = documented, ...rest }) => ({ name, secrets, now, body: Buffer.from(body).toString('base64'), ...rest }));

writeFileSync(new URL('vectors.json', import.meta.url), `${JSON.stringify({ signed, received }, null, 2)}\n`);
