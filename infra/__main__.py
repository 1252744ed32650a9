"""`python -m infra plan|apply|status|destroy --stage NAME [--target local|aws]`."""

import argparse
import os
import sys
from collections.abc import Sequence

from infra.cloud import Cloud
from infra.plan import Change, apply, deletions, destroy, plan, stack
from infra.resources.api import HttpApi, Tokens
from infra.resources.base import Resource
from rallyuxr.errors import InvalidInput, NotConfigured, RallyError
from rallyuxr.settings import Settings


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; 0 is done, 1 is drift found by `status`, 2 is a refusal."""
    options = _parser().parse_args(arguments)
    try:
        return _run(options)
    except RallyError as error:
        print(error.message, file=sys.stderr)
        return 2


def settings_for(stage: str, target: str, endpoint: str | None, region: str) -> Settings:
    """The settings of a target; AWS is reached when it is said, and only then.

    Raises:
        NotConfigured: the target and `AWS_ENDPOINT_URL` contradict each other.
    """
    if target == "local" and not endpoint:
        raise NotConfigured(
            "--target local needs AWS_ENDPOINT_URL, the address of a running embedded cloud "
            "(`python -m rallyuxr.local start` prints it). To deploy to AWS say --target aws."
        )
    if target == "aws" and endpoint:
        raise NotConfigured(
            f"--target aws, but AWS_ENDPOINT_URL is {endpoint}. Unset it to reach AWS, or say --target local."
        )
    return Settings(stage=stage, region=region, endpoint_url=endpoint)


def tokens_for(options: argparse.Namespace) -> Tokens | None:
    """Whose tokens the API takes; None is an open API, which AWS gets only when its stage is named.

    Raises:
        InvalidInput: half of issuer and audience, or an open API on AWS that nobody asked for by name.
    """
    if bool(options.jwt_issuer) != bool(options.jwt_audience):
        raise InvalidInput("--jwt-issuer and --jwt-audience belong together; give both or neither.")
    if options.jwt_issuer:
        return Tokens(options.jwt_issuer, options.jwt_audience)
    if options.target == "aws" and options.allow_open_api != options.stage:
        raise InvalidInput(
            f"Without --jwt-issuer and --jwt-audience anyone could read and change stage {options.stage!r}. "
            f"Give both, or say --allow-open-api {options.stage} if that is wanted."
        )
    return None


def _run(options: argparse.Namespace) -> int:
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "us-east-1"
    settings = settings_for(options.stage, options.target, os.environ.get("AWS_ENDPOINT_URL"), region)
    tokens = tokens_for(options) if options.command != "destroy" else None
    cloud = Cloud(settings)
    resources = stack(cloud, tokens)
    print(f"Stage {settings.stage} in account {cloud.account}, {settings.region} ({options.target})")
    if options.command == "destroy":
        return _destroy(resources, options)
    if options.command == "apply":
        changes = apply(resources, _tell)
        print(f"{len(changes)} changes made." if changes else "Nothing to do.")
        print(f"API: {(HttpApi(cloud, tokens).find() or {})['ApiEndpoint']}")
        return 0
    changes = plan(resources)
    for change in changes:
        _tell(change)
    print(f"{len(changes)} changes to make." if changes else "Everything is as wanted.")
    if there := HttpApi(cloud, tokens).find():
        print(f"API: {there['ApiEndpoint']}")
    return int(options.command == "status" and bool(changes))


def _destroy(resources: Sequence[Resource], options: argparse.Namespace) -> int:
    if not options.yes:
        for change in deletions(resources, delete_data=options.delete_data):
            _tell(change)
        raise InvalidInput("Nothing was deleted. Say --yes to delete what is listed above.")
    destroy(resources, delete_data=options.delete_data, tell=_tell)
    return 0


def _tell(change: Change) -> None:
    print(change, flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m infra", description="Deploy a stage of RallyUXR.")
    commands = parser.add_subparsers(dest="command", required=True)
    for name, meaning in (
        ("plan", "print what apply would do"),
        ("apply", "make everything as wanted"),
        ("status", "print drift; exit code 1 if there is any"),
        ("destroy", "delete the stage, except its data"),
    ):
        command = commands.add_parser(name, help=meaning, description=meaning)
        command.add_argument("--stage", required=True, help="prefixes every resource name")
        command.add_argument("--target", choices=("local", "aws"), default="local")
        if name == "destroy":
            command.add_argument("--yes", action="store_true", help="delete without asking")
            command.add_argument("--delete-data", action="store_true", help="tables, bucket and queue too")
        else:
            command.add_argument("--jwt-issuer", help="`iss` of the tokens that the API accepts")
            command.add_argument("--jwt-audience", help="`aud` of the tokens that the API accepts")
            command.add_argument("--allow-open-api", metavar="STAGE", help="the stage that needs no token")
    return parser


if __name__ == "__main__":
    sys.exit(main())
