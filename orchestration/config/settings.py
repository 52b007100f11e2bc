"""All settings in one place, composed of each package's own settings."""

import os
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
    TomlConfigSettingsSource,
)

from models.evaluation.bm25 import Bm25Settings
from models.settings import EncoderSettings, RankingSettings, TowerSettings, TrainingSettings
from models.training.hard_negative_mining import MiningSettings
from orchestration.config.automation import AutomationSettings
from orchestration.config.plain_wording import fault
from orchestration.config.setting_names import names, near, siblings
from warehouse.contracts.time_series import FeatureViews
from warehouse.errors import WarehouseError
from warehouse.paths import check_home, expanded
from warehouse.settings import MonitoringSettings, ReleaseSettings, SqlSettings, VacuumSettings, WarehouseSettings

PREFIX = "STOCKROOM_"
FILE_NAME = "stockroom.toml"
_MAX_VALUE_CHARS = 80
_UNKNOWN = "extra_forbidden"
_DEBUG = "debug"  # STOCKROOM_DEBUG is an option of the command line


def _named(path: object) -> object:
    """Refuse an empty path, which would silently mean the working directory."""
    if path == "":
        raise ValueError("must name a folder")
    return path


class Settings(BaseSettings):
    """Hold every setting: from the environment (`STOCKROOM_TRAINING__EPOCHS=3`), else from `stockroom.toml` in the home."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_nested_delimiter="__",
        env_ignore_empty=True,
        frozen=True,
        extra="forbid",
        nested_model_default_partial_update=True,
    )

    home: Annotated[Path, AfterValidator(expanded)] = Field(
        Path(".stockroom"), description="Directory that holds everything Stockroom keeps."
    )
    raw: Annotated[Path, BeforeValidator(_named), AfterValidator(expanded)] | None = Field(
        None, description="ESCI folder that a run ingests; none: the run uses the data in the lake."
    )
    warehouse: WarehouseSettings = WarehouseSettings()
    sql: SqlSettings = SqlSettings()
    encoder: EncoderSettings = EncoderSettings()
    tower: TowerSettings = TowerSettings()
    training: TrainingSettings = TrainingSettings()
    mining: MiningSettings = MiningSettings()
    bm25: Bm25Settings = Bm25Settings()
    ranking: RankingSettings = RankingSettings()
    monitoring: MonitoringSettings = MonitoringSettings()
    release: ReleaseSettings = ReleaseSettings()
    vacuum: VacuumSettings = VacuumSettings()
    automation: AutomationSettings = AutomationSettings()
    feature_view: FeatureViews = Field(
        (), description="Files of time-series features: a [[feature_view]] section of the file for each."
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Read the caller's arguments, then the environment, then the home's file."""
        arguments: dict[str, Any] = init_settings()
        home = expanded(
            Path(arguments.get("home") or os.environ.get(f"{PREFIX}HOME") or cls.model_fields["home"].default)
        )
        check_home(home)
        file_settings = TomlConfigSettingsSource(settings_cls, home.absolute() / FILE_NAME)
        if "home" in file_settings():
            raise WarehouseError(
                f"{home / FILE_NAME} names a home", "remove the line: the file applies to the home that contains it"
            )
        return init_settings, env_settings, file_settings


def load_settings(home: Path | None = None, **arguments: Any) -> Settings:
    """Return the settings that hold for `home` (default: `STOCKROOM_HOME`, else `.stockroom`).

    Raises:
        WarehouseError: The path cannot be a home, a key is unknown or a value is wrong; the message names key, value and
            fix.
    """
    if home is not None:
        arguments["home"] = home
    _refuse_unknown_variables()
    try:
        return Settings(**arguments)
    except ValidationError as error:
        errors = error.errors()
        raise _refusal(next((each for each in errors if each["type"] == _UNKNOWN), errors[0])) from error
    except SettingsError as error:
        raise WarehouseError(
            f"{error}: its value is not JSON", f"set one value at a time, as in {PREFIX}TRAINING__EPOCHS=3"
        ) from error
    except tomllib.TOMLDecodeError as error:
        raise WarehouseError(f"{FILE_NAME} of the home is not TOML: {error}", "correct the file") from error
    except UnicodeDecodeError as error:
        raise WarehouseError(f"{FILE_NAME} of the home is not UTF-8 text", "save the file as UTF-8") from error


def _refusal(error: Mapping[str, Any]) -> WarehouseError:
    """Return the error for a setting: its name, the mistake, where to correct it, and similar names for a misspelled one."""
    path = error["loc"]
    setting = f"setting {'.'.join(map(str, path))}: "
    if error["type"] == _UNKNOWN:
        inner = siblings(Settings, path)
        known = inner if any(isinstance(part, int) for part in path) else names(Settings)
        alike = near(".".join(map(str, path)), known)
        hint = f"did you mean {' or '.join(alike)}?" if alike else f"those there are: {', '.join(inner)}"
        return WarehouseError(f"{setting}this setting does not exist", f"{_place(path)}: {hint}")
    value = "" if error["type"] == "missing" else f", not {repr(error.get('input'))[:_MAX_VALUE_CHARS]}"
    return WarehouseError(f"{setting}{fault(error)}{value}", _place(path))


def _place(path: Sequence[str | int]) -> str:
    """Return where to correct a setting; an item of a list can be set only in the file."""
    if any(isinstance(part, int) for part in path):
        return f"correct [[{path[0]}]] in {FILE_NAME} of the home"
    variable = _variable(".".join(map(str, path)))
    return f"correct it in the environment ({variable}) or in {FILE_NAME} of the home"


def _refuse_unknown_variables() -> None:
    """Refuse environment variables that look like settings but are not, so that a typing error is noticed."""
    for variable in os.environ:
        if variable.startswith(PREFIX):
            section = variable.removeprefix(PREFIX).lower().split("__")[0]
            if section not in (*Settings.model_fields, _DEBUG):
                alike = near(variable.removeprefix(PREFIX).lower().replace("__", "."), names(Settings))
                hint = f"did you mean {' or '.join(map(_variable, alike))}?"
                others = f"those there are begin with: {', '.join(map(_variable, Settings.model_fields))}"
                raise WarehouseError(f"{variable} is not a setting", hint if alike else others)


def _variable(name: str) -> str:
    """Return the environment variable of a setting."""
    return PREFIX + name.replace(".", "__").upper()
