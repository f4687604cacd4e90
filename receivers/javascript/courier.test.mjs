import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { Webhook } from 'standardwebhooks';
import { SignatureError, verify, verifyBytes, verifyStandard } from './courier.mjs';

// The vectors that Courier's signer and the other receivers are tested with.
const vectors = JSON.parse(readFileSync(new URL('../../gitbook/testdata/vectors.json', import.meta.url)));

// What a receiver says of a vector: "ok", or the code of its error.
function said({ body, secrets, now, signature, standard }) {
    const bytes = Buffer.from(body, 'base64');
    try {
        const event = standard ? verifyStandard(bytes, standard, secrets, { now }) : verify(bytes, signature, secrets, { now });
        assert.equal(event.type, 'space_content_updated');
        return 'ok';
    } catch (error) {
        if (error instanceof SignatureError) return error.code;
        throw error;
    }
}

for (const vector of vectors.received) {
    test(`received: ${vector.name}`, () => assert.equal(said(vector), vector.want));
}

for (const { name, id, timestamp, secrets, body, signature, standardSignature } of vectors.signed) {
    test(`signed: ${name}`, () => {
        const bytes = Buffer.from(body, 'base64');
        for (const secret of secrets) {
            verifyBytes(bytes, signature, secret, { now: timestamp });
            assert.throws(() => verifyBytes(Buffer.concat([bytes, Buffer.from(' ')]), signature, secret, { now: timestamp }), { code: 'mismatch' });
            // As text and as an ArrayBuffer, where these are the same bytes.
            verifyBytes(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length), signature, secret, { now: timestamp });
            if (Buffer.from(bytes.toString()).equals(bytes)) verifyBytes(bytes.toString(), signature, secret, { now: timestamp });
        }
    });
}

// The public library signs alike. It takes the key in base64, and bodies that are text.
for (const { name, id, timestamp, secrets, body, standardSignature } of vectors.signed) {
    const text = Buffer.from(body, 'base64').toString();
    if (!Buffer.from(text).equals(Buffer.from(body, 'base64'))) continue;
    test(`the public library signs alike: ${name}`, () => {
        const library = secrets.map((secret) => new Webhook(Buffer.from(secret).toString('base64')).sign(id, new Date(timestamp * 1000), text));
        assert.equal(library.join(' '), standardSignature);
    });
}

test('the public library verifies what verifyStandard does', () => {
    const library = new Webhook(Buffer.from('one').toString('base64'));
    const body = '{"eventId":"evt_1","type":"site_view"}';
    const timestamp = Math.floor(Date.now() / 1000);
    const signature = library.sign('evt_1', new Date(timestamp * 1000), body);
    assert.deepEqual(verifyStandard(body, { id: 'evt_1', timestamp: String(timestamp), signature }, 'one'), { eventId: 'evt_1', type: 'site_view' });
});

test('a signed body that is no event', () => {
    for (const body of ['', 'null', '[]', '"x"', '{', '{"a":1} x']) {
        const timestamp = Math.floor(Date.now() / 1000);
        const signature = `t=${timestamp},v1=${createHmac('sha256', 'one').update(`${timestamp}.${body}`).digest('hex')}`;
        assert.throws(() => verify(body, signature, 'one'), { code: 'not_an_event' }, body);
        verifyBytes(body, signature, 'one');
    }
});

test('a tolerance that is no number refuses every time', () => {
    const timestamp = 1735689600;
    const signature = `t=${timestamp},v1=${createHmac('sha256', 'one').update(`${timestamp}.{}`).digest('hex')}`;
    verify('{}', signature, 'one', { now: timestamp });
    assert.throws(() => verify('{}', signature, 'one', { now: timestamp, tolerance: Number(undefined) }), { code: 'too_old' });
});
