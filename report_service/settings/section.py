"""What every section of the settings has in common."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, field_validator

from report_service.settings import rules


class Section(BaseModel):
    """What all sections have in common."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, allow_inf_nan=False, hide_input_in_errors=True
    )

    @field_validator("*", mode="before")
    @classmethod
    def _text_in_utf_8(cls, value: object) -> object:
        return rules.utf_8(value) if isinstance(value, str) else value
