import base64
import hashlib
import hmac
import json
import pathlib
import time
import unittest

from courier import SignatureError, verify, verify_bytes, verify_standard

# The vectors that Courier's signer and the other receivers are tested with.
VECTORS = json.loads((pathlib.Path(__file__).parents[2] / "gitbook/testdata/vectors.json").read_text(encoding="utf-8"))


def said(vector) -> str:
    """What a receiver says of a vector: "ok", or the code of its error."""
    body, secrets, now = base64.b64decode(vector["body"]), vector["secrets"], vector["now"]
    try:
        if "standard" in vector:
            headers = vector["standard"]
            event = verify_standard(body, headers["id"], headers["timestamp"], headers["signature"], secrets, now=now)
        else:
            event = verify(body, vector["signature"], secrets, now=now)
    except SignatureError as error:
        return error.code
    assert event["type"] == "space_content_updated"
    return "ok"


class Test(unittest.TestCase):
    def test_received(self) -> None:
        self.assertGreater(len(VECTORS["received"]), 30)
        for vector in VECTORS["received"]:
            with self.subTest(vector["name"]):
                self.assertEqual(vector["want"], said(vector))

    def test_signed(self) -> None:
        for vector in VECTORS["signed"]:
            body = base64.b64decode(vector["body"])
            for secret in vector["secrets"]:
                with self.subTest(vector["name"]):
                    verify_bytes(body, vector["signature"], [secret], now=vector["timestamp"])
                    with self.assertRaises(SignatureError) as refused:
                        verify_bytes(body + b" ", vector["signature"], [secret], now=vector["timestamp"])
                    self.assertEqual("mismatch", refused.exception.code)

    def test_one_secret_is_a_text_of_its_own(self) -> None:
        body, timestamp = b'{"eventId":"evt_1","type":"site_view"}', "1735689600"
        for key, want in [("one", "ok"), ("o", "mismatch")]:
            mac = hmac.new(key.encode(), timestamp.encode() + b"." + body, hashlib.sha256)
            gitbook = {"body": body, "signature": f"t={timestamp},v1={mac.hexdigest()}"}
            mac = hmac.new(key.encode(), b"evt_1." + timestamp.encode() + b"." + body, hashlib.sha256)
            signature = "v1," + base64.b64encode(mac.digest()).decode()
            standard = {"body": body, "webhook_id": "evt_1", "timestamp": timestamp, "signature": signature}
            for function, given in [(verify, gitbook), (verify_bytes, gitbook), (verify_standard, standard)]:
                with self.subTest(key=key, function=function.__name__):
                    try:
                        function(**given, secrets="one", now=1735689600)
                        said = "ok"
                    except SignatureError as error:
                        said = error.code
                    self.assertEqual(want, said)

    def test_signed_bodies_that_are_no_events(self) -> None:
        for body in [b"", b"null", b"[]", b'"x"', b"{", b'{"a":1} x', b"[" * 100_000, b"\xff"]:
            timestamp = str(int(time.time()))
            digest = hmac.new(b"one", timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()
            with self.subTest(body[:10]), self.assertRaises(SignatureError) as refused:
                verify(body, f"t={timestamp},v1={digest}", ["one"])
            self.assertEqual("not_an_event", refused.exception.code)


if __name__ == "__main__":
    unittest.main()
