"""The HTTP API in front of the `api` function."""

from dataclasses import dataclass
from typing import Any

from infra.cloud import Cloud
from infra.resources.base import Properties, Resource
from infra.resources.triggers import allow, allowed

FUNCTION = "api"
_AUTHORIZER = "tokens"
_EVERYTHING = "$default"
_PREFLIGHT = "OPTIONS /{proxy+}"
"""Browsers send no token with it, and `$default` would ask for one; a more specific route goes first."""
_CORS: Any = {
    "AllowOrigins": ["*"],
    "AllowMethods": ["GET", "POST", "PUT", "OPTIONS"],
    "AllowHeaders": [
        "authorization",
        "content-encoding",
        "content-type",
        "idempotency-key",
        "if-match",
        "if-none-match",
    ],
    "ExposeHeaders": ["content-disposition", "etag", "idempotent-replay"],
    "MaxAge": 3600,
}


@dataclass(frozen=True, slots=True)
class Tokens:
    """Whose tokens the API accepts (`iss`), and for whom they must be made (`aud`)."""

    issuer: str
    audience: str


class HttpApi(Resource):
    """One `$default` route to one function; with `tokens` every request but a preflight needs a valid one."""

    kind = "api"

    def __init__(self, cloud: Cloud, tokens: Tokens | None) -> None:
        super().__init__(cloud, cloud.name(FUNCTION))
        self.tokens = tokens

    def wanted(self) -> Properties:
        return {
            "cors": _comparable(_CORS),
            "integration": self.cloud.function_arn(FUNCTION),
            "authorizer": None if self.tokens is None else [self.tokens.issuer, self.tokens.audience],
            "route": "open" if self.tokens is None else "JWT",
            "preflight": "open",
            "stage": True,
            "permission": True,
        }

    def read(self) -> Properties | None:
        there = self.find()
        if there is None:
            return None
        api = there["ApiId"]
        integration, authorizer = self._integration(api), self._authorizer(api)
        tokens = (authorizer or {}).get("JwtConfiguration")
        return {
            "cors": _comparable(there.get("CorsConfiguration", {})),
            "integration": (integration or {}).get("IntegrationUri"),
            "authorizer": [tokens["Issuer"], *tokens["Audience"]] if tokens else None,
            "route": self._guard(api, integration, _EVERYTHING),
            "preflight": self._guard(api, integration, _PREFLIGHT),
            "stage": any(
                stage["StageName"] == "$default" and stage.get("AutoDeploy")
                for stage in self.cloud.api.get_stages(ApiId=api)["Items"]
            ),
            "permission": allowed(self.cloud, FUNCTION, self.name) == self._source(api),
        }

    def find(self) -> dict[str, Any] | None:
        """The API of this name as the cloud describes it."""
        pages = self.cloud.api.get_paginator("get_apis").paginate()
        return next((dict(api) for page in pages for api in page["Items"] if api["Name"] == self.name), None)

    def create(self) -> None:
        self.cloud.api.create_api(Name=self.name, ProtocolType="HTTP", CorsConfiguration=_CORS)

    def update(self, changed: Properties) -> None:
        api = str((self.find() or {})["ApiId"])
        if "cors" in changed:
            self.cloud.api.update_api(ApiId=api, CorsConfiguration=_CORS)
        if "permission" in changed:
            allow(self.cloud, FUNCTION, self.name, "apigateway.amazonaws.com", self._source(api))
        if {"integration", "authorizer", "route", "preflight"} & changed.keys():
            self._put_routes(api)
        if "stage" in changed:
            self.cloud.api.create_stage(ApiId=api, StageName="$default", AutoDeploy=True)

    def delete(self) -> None:
        self.cloud.api.delete_api(ApiId=str((self.find() or {})["ApiId"]))

    def _put_routes(self, api: str) -> None:
        """Integration, authorizer and routes, each replaced where it is and made where it is not."""
        client, found = self.cloud.api, self._integration(api)
        integration: dict[str, Any] = {
            "IntegrationType": "AWS_PROXY",
            "IntegrationUri": self.cloud.function_arn(FUNCTION),
            "PayloadFormatVersion": "2.0",
        }
        if found:
            client.update_integration(ApiId=api, IntegrationId=found["IntegrationId"], **integration)
        else:
            found = dict(client.create_integration(ApiId=api, **integration))
        target = f"integrations/{found['IntegrationId']}"
        self._put_route(api, {"RouteKey": _EVERYTHING, "Target": target, **self._authorization(api)})
        self._put_route(api, {"RouteKey": _PREFLIGHT, "Target": target, "AuthorizationType": "NONE"})
        if self.tokens is None and (unused := self._authorizer(api)):
            client.delete_authorizer(ApiId=api, AuthorizerId=unused["AuthorizerId"])

    def _put_route(self, api: str, route: dict[str, Any]) -> None:
        if there := self._route(api, route["RouteKey"]):
            self.cloud.api.update_route(ApiId=api, RouteId=there["RouteId"], **route)
        else:
            self.cloud.api.create_route(ApiId=api, **route)

    def _authorization(self, api: str) -> dict[str, Any]:
        if self.tokens is None:
            return {"AuthorizationType": "NONE"}
        wanted: dict[str, Any] = {
            "Name": _AUTHORIZER,
            "AuthorizerType": "JWT",
            "IdentitySource": ["$request.header.Authorization"],
            "JwtConfiguration": {"Issuer": self.tokens.issuer, "Audience": [self.tokens.audience]},
        }
        found = self._authorizer(api)
        if found:
            self.cloud.api.update_authorizer(ApiId=api, AuthorizerId=found["AuthorizerId"], **wanted)
        else:
            found = dict(self.cloud.api.create_authorizer(ApiId=api, **wanted))
        return {"AuthorizationType": "JWT", "AuthorizerId": found["AuthorizerId"]}

    def _integration(self, api: str) -> dict[str, Any] | None:
        return next((dict(item) for item in self.cloud.api.get_integrations(ApiId=api)["Items"]), None)

    def _authorizer(self, api: str) -> dict[str, Any] | None:
        items = self.cloud.api.get_authorizers(ApiId=api)["Items"]
        return next((dict(item) for item in items if item["Name"] == _AUTHORIZER), None)

    def _guard(self, api: str, integration: dict[str, Any] | None, key: str) -> str | None:
        """What a route asks for before it leads to the function; None where it does not lead there."""
        route = self._route(api, key)
        if not route or route.get("Target") != f"integrations/{(integration or {}).get('IntegrationId')}":
            return None
        kind = str(route.get("AuthorizationType", "NONE"))
        return "open" if kind == "NONE" else kind

    def _route(self, api: str, key: str) -> dict[str, Any]:
        items = self.cloud.api.get_routes(ApiId=api)["Items"]
        return next((dict(item) for item in items if item["RouteKey"] == key), {})

    def _source(self, api: str) -> str:
        return self.cloud.arn("execute-api", f"{api}/*")


def _comparable(cors: Any) -> dict[str, Any]:
    """The settings without the order that the cloud gives its lists."""
    settings = {key: cors.get(key) for key in _CORS}
    return {key: sorted(value) if isinstance(value, list) else value for key, value in settings.items()}
