"""How every value of the contract reads on the wire, said without loading what reads it.

What estimators answer are plain dataclasses, so that an effect waits neither for a validator's import nor for
its work; inside a record, pydantic reads and writes them by the configuration here.
"""

from collections.abc import Mapping
from dataclasses import MISSING, FrozenInstanceError, dataclass, field, fields
from datetime import UTC, date, datetime, time
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self, TypeVar, cast, dataclass_transform

if TYPE_CHECKING:
    from pydantic import ConfigDict, GetCoreSchemaHandler, TypeAdapter
    from pydantic_core import CoreSchema


def to_camel(name: str) -> str:
    """The contract's name of a field: `ci_lower` is `ciLower`."""
    from pydantic.alias_generators import to_camel as generated

    return generated(name)


A = TypeVar("A", bound="Answer")

CONTRACT: "ConfigDict" = {
    "alias_generator": to_camel,
    "validate_by_name": True,
    "validate_by_alias": True,
    "serialize_by_alias": True,
    "frozen": True,
    "extra": "forbid",
    "allow_inf_nan": False,
}
"""The contract's camelCase, frozen, closed to unknown fields, free of NaN and infinity."""


@dataclass_transform(kw_only_default=True, frozen_default=True, field_specifiers=(field,))
def answer(cls: type[A]) -> type[A]:
    """Make an `Answer` a dataclass of keywords, whose fields are set all at once.

    The methods that `dataclass` would write and compile for each class, `Answer` has once for all; and setting the
    fields one by one, as frozen dataclasses do, takes longer than to estimate them. A default that a factory makes
    is frozen too, so one serves all.
    """
    made: Any = dataclass(kw_only=True, init=False, repr=False, eq=False)(cls)
    names = [one.name for one in fields(made)]
    defaults = {one.name: one.default for one in fields(made) if one.default is not MISSING}
    defaults |= {one.name: one.default_factory() for one in fields(made) if one.default_factory is not MISSING}
    required, count = frozenset(names).difference(defaults), len(names)

    def initialise(self: A, **values: Any) -> None:
        own = self.__dict__
        own.update(defaults)
        own.update(values)
        if len(own) != count or (required and not required <= values.keys()):
            raise TypeError(f"{cls.__name__} has the fields {sorted(names)}; got {sorted(values)}")

    made.__init__ = initialise
    return cls


class Answer:
    """What an estimator answers: the base of frozen dataclasses that are also values of the contract."""

    __pydantic_config__: ClassVar["ConfigDict"] = CONTRACT

    def to_json(self) -> dict[str, Any]:
        """The answer under the contract's names, as JSON types; absent fields are left out."""
        written: dict[str, Any] = _ADAPTERS[type(self)].dump_python(self, mode="json", exclude_none=True)
        return written

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Read the answer back from `to_json`'s shape; raises `pydantic.ValidationError`."""
        read: Self = _ADAPTERS[cls].validate_python(data)
        return read

    def __repr__(self) -> str:
        values = (
            f"{one.name}={getattr(self, one.name)!r}" for one in fields(cast(Any, self))
        )  # in their own order
        return f"{type(self).__name__}({', '.join(values)})"

    def __eq__(self, other: object) -> bool:
        return self.__dict__ == other.__dict__ if type(self) is type(other) else NotImplemented

    def __hash__(self) -> int:
        return hash(tuple(sorted(vars(self).items())))  # by name, and no name is there twice

    def __setattr__(self, name: str, value: object) -> None:
        raise FrozenInstanceError(f"cannot assign to field {name!r}: use dataclasses.replace")

    def __delattr__(self, name: str) -> None:
        raise FrozenInstanceError(f"cannot delete field {name!r}")


class _Adapters(dict[type[Answer], "TypeAdapter[Any]"]):
    """What reads and writes each kind of answer, made when it is first needed."""

    def __missing__(self, answer: type[Answer]) -> "TypeAdapter[Any]":
        from pydantic import TypeAdapter

        self[answer] = TypeAdapter(answer)
        return self[answer]


_ADAPTERS = _Adapters()


def aware_utc(value: object) -> object:
    """Accept ISO 8601 dates, datetimes and strings; a date is its midnight UTC."""
    if isinstance(value, str):
        text = value.strip()
        try:
            parsed = datetime.fromisoformat(text)
        except ValueError:
            raise ValueError(
                f"{value!r} is not an ISO 8601 date or time, such as 2025-01-15 or 2025-01-15T14:00:00Z"
            ) from None
        if len(text) > 10 and parsed.tzinfo is None:
            raise ValueError(f"{value!r} has no time zone: end it with Z or an offset such as +01:00")
        value = parsed if len(text) > 10 else parsed.replace(tzinfo=UTC)
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise ValueError("a time needs a time zone: use an aware datetime, for instance in UTC")
        try:
            return value.astimezone(UTC)
        except OverflowError:
            raise ValueError(f"{value} lies outside the years 1 to 9999 in UTC") from None
    if isinstance(value, date):
        return datetime.combine(value, time(), tzinfo=UTC)
    return value


def iso_z(value: datetime) -> str:
    """Write an aware time as ISO 8601 in UTC, ending in Z; fractions only where there are any."""
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z")


class _Utc:
    """Reads a time as aware UTC, and writes it into JSON ending in Z."""

    def __get_pydantic_core_schema__(self, source: Any, handler: "GetCoreSchemaHandler") -> "CoreSchema":
        from pydantic_core import core_schema

        return core_schema.no_info_before_validator_function(
            aware_utc,
            handler(source),
            serialization=core_schema.plain_serializer_function_ser_schema(
                iso_z, return_schema=core_schema.str_schema(), when_used="json"
            ),
        )


Timestamp = Annotated[datetime, _Utc()]
"""An aware UTC time; JSON carries ISO 8601 ending in Z, and dates are read as their midnight UTC."""
