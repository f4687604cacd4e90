// Writes vectors.json: signatures made by Node's crypto, and what a verifier written like the sample in GitBook's
// documentation says of them. Run it with `node vectors.mjs` in this folder.

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

const vectors = cases.map(({ name, secrets, body, timestamp = 1735689600 }, index) => {
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

writeFileSync(new URL('vectors.json', import.meta.url), `${JSON.stringify(vectors, null, 2)}\n`);
