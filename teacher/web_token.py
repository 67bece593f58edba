"""Sign a JSON Web Token (RFC 7519) with HS256, for a node Webhook that is set to JWT Auth.

The token of the environment is then the secret that both sides know. It is never sent, so it is in
nothing that n8n, a proxy or a log stores of a request.
"""

import base64
import hashlib
import hmac
import json
import secrets
import time
from typing import Final

_LIFETIME_SECONDS: Final = 300


def sign_web_token(secret: str, now: float | None = None) -> str:
    """Return a token that is valid for five minutes, and different each time."""
    issued = int(time.time() if now is None else now)
    claims = {"iat": issued, "exp": issued + _LIFETIME_SECONDS, "jti": secrets.token_hex(16)}
    signed = f"{_encode_json({'alg': 'HS256', 'typ': 'JWT'})}.{_encode_json(claims)}"
    signature = hmac.new(secret.encode(), signed.encode("ascii"), hashlib.sha256).digest()
    return f"{signed}.{_encode(signature)}"


def _encode_json(value: object) -> str:
    return _encode(json.dumps(value, separators=(",", ":")).encode("ascii"))


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")
