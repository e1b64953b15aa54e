"""What was used, as clients see it."""

from datetime import date

from pydantic import Field

from app.schemas.base import Answer


class FiguresOut(Answer):
    messages: int = Field(description="answers, the failed ones too")
    failed: int = Field(description="how many of them failed")
    prompt_tokens: int
    completion_tokens: int
    estimated: int = Field(description="how many of the messages had their tokens estimated")
    cost: float | None = Field(description="US dollars by the prices in config/models.yaml; null: no price is known")


class ModelFigures(FiguresOut):
    model_source: str
    model: str | None


class DayFigures(ModelFigures):
    day: date = Field(description="in UTC")


class UserFigures(FiguresOut):
    username: str


class UserStats(Answer):
    from_: date = Field(alias="from")
    to: date
    totals: FiguresOut
    models: list[ModelFigures] = Field(description="the most used first, at most 200")
    days: list[DayFigures] = Field(description="one for each model of each day, the newest 5000, oldest first")
    truncated: bool = Field(description="there are more models or days than are listed; the totals are of all")


class Storage(Answer):
    files: int
    bytes: int


class SystemStats(UserStats):
    users: int = Field(description="users who used anything in these days")
    accounts: int = Field(description="accounts that may sign in")
    per_user: list[UserFigures] = Field(description="the 50 users with the most tokens")
    storage: Storage
