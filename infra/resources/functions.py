"""Lambda functions and the layers they share."""

import base64
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from botocore.exceptions import ClientError

from infra import bundle, specs
from infra.cloud import Cloud
from infra.resources.base import Properties, Resource, is_absent
from infra.resources.patience import once_possible, role_unsettled
from rallyuxr.version import __version__

_PATIENCE: Any = {"Delay": 0.2, "MaxAttempts": 1500}


class Layer(Resource):
    """What functions import beside the package itself."""

    kind = "layer"

    def __init__(self, cloud: Cloud, layer: specs.Layer) -> None:
        super().__init__(cloud, cloud.name(layer.name))
        self.layer = layer

    def wanted(self) -> Properties:
        return {"content": self.identity}

    @property
    def identity(self) -> str:
        """Names the content."""
        return bundle.layer_identity(self.layer)

    def arn(self) -> str:
        """The published version with the wanted content."""
        return next(arn for arn, content in self.versions().items() if content == self.identity)

    def read(self) -> Properties | None:
        versions = self.versions()
        return {"content": next(iter(versions.values()))} if versions else None

    def versions(self) -> dict[str, str]:
        """Content by the ARN of each version, newest first."""
        listed = self.cloud.functions.list_layer_versions(LayerName=self.name)["LayerVersions"]
        return {version["LayerVersionArn"]: version.get("Description", "") for version in listed}

    def create(self) -> None:
        content, key = self.identity, f"artifacts/{self.identity}.zip"
        self.cloud.s3.upload_file(str(bundle.build_layer(self.layer)), self.cloud.bucket, key)
        self.cloud.functions.publish_layer_version(
            LayerName=self.name,
            Description=content,
            Content={"S3Bucket": self.cloud.bucket, "S3Key": key},
            CompatibleRuntimes=[bundle.RUNTIME],  # type: ignore[list-item]
        )
        self.cloud.s3.delete_object(Bucket=self.cloud.bucket, Key=key)

    def update(self, changed: Properties) -> None:
        """Publish, and delete what came before: functions that still use it keep it until they change."""
        outdated = self.versions()
        super().update(changed)
        self._delete(outdated)

    def delete(self) -> None:
        self._delete(self.versions())

    def _delete(self, versions: Iterable[str]) -> None:
        for arn in versions:
            number = int(arn.rsplit(":", 1)[1])
            self.cloud.functions.delete_layer_version(LayerName=self.name, VersionNumber=number)


class Function(Resource):
    """A Lambda function, its configuration, and where failed asynchronous invocations go."""

    kind = "function"

    def __init__(
        self,
        cloud: Cloud,
        function: specs.Function,
        layers: Sequence[Layer],
        code: bytes,
        environment: Mapping[str, str],
    ) -> None:
        super().__init__(cloud, cloud.name(function.name))
        self.function, self.layers, self.code, self.environment = function, layers, code, environment

    def wanted(self) -> Properties:
        return {
            **self._configuration(),
            "code": base64.b64encode(hashlib.sha256(self.code).digest()).decode(),
            "layers": [layer.identity for layer in self.layers],
            "architecture": bundle.architecture(),
            "failures": self._failures(),
        }

    def read(self) -> Properties | None:
        try:
            there = self.cloud.functions.get_function_configuration(FunctionName=self.name)
        except ClientError as error:
            if is_absent(error):
                return None
            raise
        published = {arn: content for layer in self.layers for arn, content in layer.versions().items()}
        return {
            **{key: there.get(key) for key in self._configuration()},
            "Environment": {"Variables": there.get("Environment", {}).get("Variables", {})},
            "code": there["CodeSha256"],
            "layers": [published.get(layer["Arn"]) for layer in there.get("Layers", [])],
            "architecture": there.get("Architectures", ["x86_64"])[0],
            "failures": self._read_failures(),
        }

    def create(self) -> None:
        once_possible(
            lambda: self.cloud.functions.create_function(
                FunctionName=self.name,
                Code={"ZipFile": self.code},
                Layers=[layer.arn() for layer in self.layers],
                Architectures=[bundle.architecture()],  # type: ignore[list-item]
                **self._configuration(),
            ),
            role_unsettled,
        )
        self._wait()

    def update(self, changed: Properties) -> None:
        functions = self.cloud.functions
        if "code" in changed or "architecture" in changed:
            functions.update_function_code(
                FunctionName=self.name,
                ZipFile=self.code,
                Architectures=[bundle.architecture()],  # type: ignore[list-item]
            )
            self._wait()
        if "layers" in changed or self._configuration().keys() & changed.keys():
            layers = [layer.arn() for layer in self.layers]
            configuration: dict[str, Any] = {**self._configuration(), "Layers": layers}
            once_possible(
                lambda: functions.update_function_configuration(FunctionName=self.name, **configuration),
                role_unsettled,
            )
            self._wait()
        if "failures" in changed:
            self._put_failures(changed["failures"])

    def delete(self) -> None:
        self.cloud.functions.delete_function(FunctionName=self.name)

    def _configuration(self) -> dict[str, Any]:
        """What Lambda calls by the same names when it is written and when it is read."""
        function = self.function
        environment = {
            "RALLYUXR_STAGE": self.cloud.settings.stage,
            "RALLYUXR_VERSION": __version__,
            "POWERTOOLS_SERVICE_NAME": function.name,
            "POWERTOOLS_LOG_LEVEL": "INFO",
            "POWERTOOLS_METRICS_NAMESPACE": "RallyUXR",
        }
        return {
            "Handler": function.handler,
            "Runtime": bundle.RUNTIME,
            "MemorySize": function.memory_mb,
            "Timeout": function.timeout_seconds,
            "Role": self.cloud.role_arn(function.name),
            "Environment": {"Variables": {**environment, **self.environment}},
        }

    def _failures(self) -> dict[str, Any] | None:
        if self.function.retries is None:
            return None
        return {"retries": self.function.retries, "to": self.cloud.queue_arn(specs.FAILURES)}

    def _read_failures(self) -> dict[str, Any] | None:
        try:
            there = self.cloud.functions.get_function_event_invoke_config(FunctionName=self.name)
        except ClientError as error:
            if is_absent(error):
                return None
            raise
        to = there.get("DestinationConfig", {}).get("OnFailure", {}).get("Destination")
        return {"retries": there.get("MaximumRetryAttempts"), "to": to}

    def _put_failures(self, failures: dict[str, Any] | None) -> None:
        if failures is None:
            self.cloud.functions.delete_function_event_invoke_config(FunctionName=self.name)
            return
        once_possible(
            lambda: self.cloud.functions.put_function_event_invoke_config(
                FunctionName=self.name,
                MaximumRetryAttempts=failures["retries"],
                DestinationConfig={"OnFailure": {"Destination": failures["to"]}},
            ),
            role_unsettled,
        )

    def _wait(self) -> None:
        for state in ("function_active_v2", "function_updated_v2"):
            waiter = self.cloud.functions.get_waiter(state)
            waiter.wait(FunctionName=self.name, WaiterConfig=_PATIENCE)
