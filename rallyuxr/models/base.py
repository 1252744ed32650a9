"""What every record shares: the contract's camelCase on the wire, frozen snake_case in Python."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any, Self

from pydantic import (
    BaseModel,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    PlainSerializer,
    Strict,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from rallyuxr.models.contract import CONTRACT
from rallyuxr.models.contract import Timestamp as Timestamp
from rallyuxr.models.contract import iso_z as iso_z


class Record(BaseModel):
    """A value of the contract: frozen, closed to unknown fields, free of NaN and infinity."""

    model_config = CONTRACT

    def to_json(self) -> dict[str, Any]:
        """The record under the contract's names, as JSON types; absent fields are left out."""
        return self.model_dump(mode="json", exclude_none=True)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Read the record back from `to_json`'s shape; raises `pydantic.ValidationError`."""
        return cls.model_validate(data)


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
