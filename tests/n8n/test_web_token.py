"""The library with which n8n checks JWT Auth accepts the signed tokens, and refuses others."""

from __future__ import annotations

import json
import shutil
import subprocess
import time

from teacher.web_token import sign_web_token
from tests.n8n.install import node
from tests.n8n.server import WHERE

SECRET = "a-long-random-token-\u00e4"

# What n8n's node Webhook does with JWT Auth (n8n-nodes-base/dist/nodes/Webhook/utils.js).
VERIFY = """
const { verify } = require(process.argv[1] + '/node_modules/jsonwebtoken');
for (const token of JSON.parse(process.argv[3])) {
  try {
    console.log(verify(token, process.argv[2], { algorithms: ['HS256'] }).jti.length);
  } catch (error) {
    console.log(error.message);
  }
}
"""


def test_the_library_of_n8n_accepts_it() -> None:
    now = time.time()
    head, claims, signature = sign_web_token(SECRET).split(".")
    tokens = [
        sign_web_token(SECRET),
        sign_web_token("another"),
        sign_web_token(SECRET, now - 400),
        f"{head}.{claims}.{signature[:-4]}AAAA",
    ]
    program = shutil.which("node", path=str(node(WHERE)))
    assert program
    done = subprocess.run(
        [program, "-e", VERIFY, str(WHERE), SECRET, json.dumps(tokens)],
        capture_output=True,
        check=True,
        text=True,
        encoding="utf-8",
    )
    assert done.stdout.splitlines() == [
        "32",
        "invalid signature",
        "jwt expired",
        "invalid signature",
    ]
