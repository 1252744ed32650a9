"""What every record shares: the contract's camelCase on the wire, frozen snake_case in Python."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Annotated, Any, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    PlainSerializer,
    Strict,
)
from pydantic.alias_generators import to_camel
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema


class Record(BaseModel):
    """A value of the contract: frozen, closed to unknown fields, free of NaN and infinity."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        serialize_by_alias=True,
        frozen=True,
        extra="forbid",
        allow_inf_nan=False,
    )

    def to_json(self) -> dict[str, Any]:
        """The record under the contract's names, as JSON types; absent fields are left out."""
        return self.model_dump(mode="json", exclude_none=True)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Read the record back from `to_json`'s shape; raises `pydantic.ValidationError`."""
        return cls.model_validate(data)


def _aware_utc(value: object) -> object:
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


Timestamp = Annotated[
    datetime, BeforeValidator(_aware_utc), PlainSerializer(iso_z, return_type=str, when_used="json")
]
"""An aware UTC time; JSON carries ISO 8601 ending in Z, and dates are read as their midnight UTC."""


class _NumberInDocuments:
    """Documents an amount as the number the contract says, though decimal text is read too."""

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        described = handler(schema)
        return next((form for form in described.get("anyOf", ()) if form.get("type") == "number"), described)


Money = Annotated[Decimal, PlainSerializer(float, return_type=float, when_used="json"), _NumberInDocuments()]
"""An amount in a currency: Decimal in Python, a number in JSON (the contract's type)."""

CONTROLS = frozenset(map(chr, range(0x20))) | {"\x7f"}
"""Characters that no screen, spreadsheet or terminal shows as what they are."""


class _WithoutControls:
    """Refuses control characters but those of running text where they are `kept`, and documents that."""

    def __init__(self, *, kept: str) -> None:
        self._refused = CONTROLS - set(kept)
        self._pattern = r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f]*$" if kept else r"^[^\x00-\x1f\x7f]*$"
        self._remedy = "remove it" if kept else "remove it; this is one line of text"

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self._checked, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return handler(schema) | {"pattern": self._pattern}

    def _checked(self, text: str) -> str:
        for place, character in enumerate(text, start=1):
            if character in self._refused:
                raise ValueError(
                    f"character {place} is the control character U+{ord(character):04X}: {self._remedy}"
                )
        return text


ONE_LINE = _WithoutControls(kept="")
"""Text of one line: no control characters at all."""

PROSE = _WithoutControls(kept="\t\n\r")
"""Running text: no control characters but tabs and line breaks."""

Title = Annotated[str, Field(min_length=1, max_length=200), ONE_LINE]
"""What a person calls a thing."""

Flag = Annotated[bool, Strict()]
"""True or false, and not what may be read as it."""

Price = Annotated[Money, Field(ge=Decimal("1e-9"), le=Decimal("1e12"))]
"""A positive amount that storage keeps exactly."""
