"""A small OpenID provider on loopback: it signs everybody in as whoever the test says."""

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import jwt
import uvicorn
from cryptography.hazmat.primitives.asymmetric import rsa
from fastapi import FastAPI, Request
from fastapi.responses import RedirectResponse

from rallyuxr.local.cloud import free_port

CLIENT = "workbench"
KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)


@contextmanager
def identity_provider(claims: Mapping[str, Any]) -> Iterator[str]:
    """The issuer's address; its tokens carry `claims`."""
    port = free_port(0)
    issuer = f"http://127.0.0.1:{port}"
    server = uvicorn.Server(uvicorn.Config(_provider(issuer, claims), port=port, log_level="error"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.02)
    yield issuer
    server.should_exit = True
    thread.join()


def _provider(issuer: str, claims: Mapping[str, Any]) -> FastAPI:
    app = FastAPI()
    nonces: dict[str, str] = {}

    @app.get("/.well-known/openid-configuration")
    def configuration() -> dict[str, Any]:
        return {
            "issuer": issuer,
            "authorization_endpoint": f"{issuer}/authorize",
            "token_endpoint": f"{issuer}/token",
            "jwks_uri": f"{issuer}/keys",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
        }

    @app.get("/keys")
    def keys() -> dict[str, Any]:
        public = jwt.algorithms.RSAAlgorithm.to_jwk(KEY.public_key(), as_dict=True)
        return {"keys": [{**public, "kid": "one", "use": "sig", "alg": "RS256"}]}

    @app.get("/authorize")
    def authorize(redirect_uri: str, state: str, nonce: str = "") -> RedirectResponse:
        nonces["code"] = nonce
        return RedirectResponse(f"{redirect_uri}?code=code&state={state}")

    @app.post("/token")
    async def token(request: Request) -> dict[str, Any]:
        now = int(time.time())
        body = {"iss": issuer, "aud": CLIENT, "sub": "1", "iat": now, "exp": now + 600, "nonce": nonces["code"]}
        signed = jwt.encode({**body, **claims}, KEY, algorithm="RS256", headers={"kid": "one"})
        return {"access_token": "none", "token_type": "Bearer", "expires_in": 600, "id_token": signed}

    return app
