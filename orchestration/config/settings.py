"""All settings in one place, composed of each package's own settings."""

import os
import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from models.evaluation.bm25 import Bm25Settings
from models.settings import EncoderSettings, RankingSettings, TowerSettings, TrainingSettings
from models.training.hard_negative_mining import MiningSettings
from orchestration.config.automation import AutomationSettings
from orchestration.config.plain_wording import fault
from orchestration.config.serve import TOKENS, ServeSettings
from orchestration.config.setting_names import names, near, siblings
from warehouse.contracts.time_series import FeatureViews
from warehouse.declaration.source import Sources
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
        None,
        description="Folder of the ESCI files, or of the declared files, that a build ingests; none: the home for "
        "declared files, and without declared files the data in the lake.",
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
    serve: ServeSettings = ServeSettings()
    source: Sources = Field(
        (),
        description="Files of the catalog and its judgements: a [[source]] section of the file for each; none: ESCI's.",
    )
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
        path = _file(init_settings())
        check_home(path.parent)
        of_file = tomllib.loads(path.read_text(encoding="utf-8-sig")) if path.is_file() else {}
        file_settings = InitSettingsSource(settings_cls, init_kwargs=of_file)
        token = next((name for name in TOKENS if name in of_file.get("serve", {})), None)
        if token is not None:
            raise WarehouseError(
                f"{path} names a {token}",
                f"remove the line, and set the environment variable {_variable(f'serve.{token}')} instead",
            )
        if "home" in of_file:
            raise WarehouseError(
                f"{path} names a home", "remove the line: the file applies to the home that contains it"
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
        raise _refusal(next((each for each in errors if each["type"] == _UNKNOWN), errors[0]), arguments) from error
    except SettingsError as error:
        field = re.search(r'field "(\w+)"', str(error))
        raise WarehouseError(
            f"the value of {_variable(field.group(1) if field else '…')} is not JSON",
            f"set one value at a time, as in {PREFIX}TRAINING__EPOCHS=3",
        ) from error
    except tomllib.TOMLDecodeError as error:
        raise WarehouseError(f"{_file(arguments)} is not TOML: {error}", "correct the file") from error
    except UnicodeDecodeError as error:
        raise WarehouseError(f"{_file(arguments)} is not UTF-8 text", "save the file as UTF-8") from error


def _file(arguments: Mapping[str, Any]) -> Path:
    """Return the path of the settings file, in the home that the arguments name, else the environment."""
    home = arguments.get("home") or os.environ.get(f"{PREFIX}HOME") or Settings.model_fields["home"].default
    return expanded(Path(home)) / FILE_NAME


def _refusal(error: Mapping[str, Any], arguments: Mapping[str, Any]) -> WarehouseError:
    """Return the error for a setting: its name, the mistake, where to correct it, and similar names for a misspelled one."""
    path = error["loc"]
    setting, place = f"setting {'.'.join(map(str, path))}: ", f"correct it in {_place(path, arguments)}"
    if error["type"] == _UNKNOWN:
        inner = siblings(Settings, path)
        known = inner if any(isinstance(part, int) for part in path) else names(Settings)
        alike = near(".".join(map(str, path)), known)
        hint = f"did you mean {' or '.join(alike)}?" if alike else f"those there are: {', '.join(inner)}"
        return WarehouseError(f"{setting}this setting does not exist", f"{place}: {hint}")
    value = "" if error["type"] == "missing" else f", not {repr(error.get('input'))[:_MAX_VALUE_CHARS]}"
    return WarehouseError(f"{setting}{fault(error)}{value}", place)


def _place(path: Sequence[str | int], arguments: Mapping[str, Any]) -> str:
    """Return the place that a setting was read from: an environment variable, else the file; for a section both, perhaps."""
    name = _variable(".".join(map(str, path)))
    above = [_variable(".".join(map(str, path[:end]))) for end in range(1, len(path))]
    variables = [variable for variable, text in os.environ.items() if text]
    own = [each for each in variables if each.upper() == name]
    own += [each for each in variables if each.upper() in above and f'"{path[-1]}"' in os.environ[each]]  # as JSON
    parts = [each for each in variables if each.upper().startswith(f"{name}__")]
    if own:
        return f"the environment: {', '.join(own)}"
    file = _file(arguments)
    if parts:
        also = (
            f", or in {file}"
            if file.is_file() and path[0] in tomllib.loads(file.read_text(encoding="utf-8-sig"))
            else ""
        )
        return f"the environment: {', '.join(parts)}{also}"
    return f"[[{path[0]}]] of {file}" if any(isinstance(part, int) for part in path) else str(file)


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
