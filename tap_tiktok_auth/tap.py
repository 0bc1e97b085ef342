"""The Singer tap: its settings, catalog, state and exit policy."""

from __future__ import annotations

import json
import os
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import IO, TYPE_CHECKING, Any, ClassVar

import click
from singer_sdk import Tap
from singer_sdk.exceptions import MappingError
from singer_sdk.helpers._classproperty import classproperty
from singer_sdk.helpers.capabilities import PluginCapabilities, TapCapabilities
from singer_sdk.plugin_base import SingerCommand
from singer_sdk.singerlib import Catalog
from singer_sdk.tap_base import CliTestOptionValue

from tap_tiktok_auth import errors, streams
from tap_tiktok_auth.config import parsing, settings, values
from tap_tiktok_auth.credentials.manager import open_manager
from tap_tiktok_auth.errors import ConfigurationError, TikTokAuthError
from tap_tiktok_auth.process import EXIT_INTERRUPTED, describe, is_closed_pipe
from tap_tiktok_auth.redaction import clean, install, teach

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from types import FrameType

    from singer_sdk import Stream
    from singer_sdk.helpers.capabilities import CapabilitiesEnum
    from singer_sdk.singerlib import CatalogEntry

    from tap_tiktok_auth.config.models import Config


@dataclass(frozen=True)
class Given:
    """Config files and the environment, read when a run needs them, as `tiktok-auth` reads them.

    Meltano writes into its config file only what its project declares; of a variable in `.env` that
    it does not know, the environment alone tells.
    """

    paths: tuple[str, ...]
    parse_env = False

    @property
    def config(self) -> dict[str, Any]:
        """The settings by name."""
        return values.merged(self.paths, os.environ)


class TapCommand(SingerCommand):
    """The tap's command line: errors of this package are one line and exit code 1."""

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        """Parse the command line; `--discover` and `--test` do their work in here."""
        with self._one_line():
            return super().make_context(*args, **kwargs)

    def invoke(self, ctx: click.Context) -> object:
        """Run the tap."""
        with self._one_line():
            return super().invoke(ctx)

    @contextmanager
    def _one_line(self) -> Iterator[None]:
        try:
            yield
        except TikTokAuthError as error:
            self.logger.error("%s", error)  # noqa: TRY400  (users see no traceback)  (a traceback helps no user)
            sys.exit(1)
        except KeyboardInterrupt:
            sys.exit(EXIT_INTERRUPTED)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except Exception as error:
            if is_closed_pipe(error):
                raise
            self.logger.debug("%s", type(error).__name__, exc_info=error)
            self.logger.error("%s", describe(error))  # noqa: TRY400  (users see no traceback)
            sys.exit(1)


class TapTikTokAuth(Tap):
    """Exchange, refresh and keep TikTok tokens, and emit what they grant."""

    name = "tap-tiktok-auth"
    package_name = "tap-tiktok-auth"
    config_jsonschema: ClassVar[dict[str, Any]] = settings.json_schema()
    capabilities: ClassVar[list[CapabilitiesEnum]] = [
        TapCapabilities.CATALOG,
        TapCapabilities.STATE,
        TapCapabilities.DISCOVER,
        PluginCapabilities.ABOUT,
        PluginCapabilities.STREAM_MAPS,
        PluginCapabilities.FLATTENING,
        PluginCapabilities.STRUCTURED_LOGGING,
    ]

    def discover_streams(self) -> Sequence[Stream]:
        """Return the streams; touches neither the network nor the store, and needs no config."""
        return [stream(self, self.extraction) for stream in streams.ALL]

    @cached_property
    def settings(self) -> Config:
        """The checked config.

        Raises:
            ConfigurationError: It is wrong.
        """
        return parsing.parse(self.config)

    @cached_property
    def extraction(self) -> streams.Extraction:
        """The run over the connections; opens the store when a stream is read."""
        return streams.Extraction(lambda: open_manager(self.settings), self.logger)

    def complete(self, work: Callable[[], object]) -> None:
        """Have all tokens ready, do the work, close everything, and judge.

        Raises:
            TikTokAuthError: There is no connection, the store or a stream map cannot be used.
            SystemExit: With code 1, if a connection failed and `on_error` says so.
        """
        try:
            if any(stream.selected for stream in self.streams.values()):
                _ = self.extraction.results  # ahead of the SDK, which has its own words for errors
            work()
        except MappingError as error:
            raise _unusable_maps(error) from None
        finally:
            self.extraction.close()
        failed = self.extraction.failed
        if failed and self.settings.on_error == "fail":
            names = [name for name in failed if name]
            if names:
                count = len(self.extraction.results)
                told = ", ".join(names)
                self.logger.error("%d of %d connections failed: %s", len(names), count, told)
            sys.exit(1)

    # Singer SDK

    def load_state(self, state: dict[str, Any]) -> None:
        """Take in the state of an earlier run; a malformed one is refused before anything is done.

        Raises:
            ConfigurationError: It is malformed.
        """
        try:
            bookmarks = state.get("bookmarks", {})
            value = bookmarks.get("token_events", {}).get("replication_key_value")
            # The SDK trips over some of the rest, such as partitions, which no stream has.
            kept = {"replication_key", "replication_key_value"}
            bookmarks = {
                stream: {name: bookmark[name] for name in kept & bookmark.keys()}
                for stream, bookmark in bookmarks.items()
            }
            super().load_state({**state, "bookmarks": bookmarks})
        except AttributeError:
            raise ConfigurationError("the state has no bookmarks of the kind Singer has") from None
        if value is not None:
            streams.event_id(value)

    def _validate_config(self, *, raise_errors: bool = True) -> list[str]:
        """Check the config; the SDK's own check would print secret values."""
        if raise_errors:
            teach(*values.secrets_of(self.config))
            _ = self.settings
            # The SDK takes null for a value.
            self._config = {k: v for k, v in self.config.items() if v is not None}
        return []

    def setup_mapper(self) -> None:
        """Make the stream maps.

        Raises:
            ConfigurationError: The SDK cannot use them; it has many errors for that.
        """
        _ = self.catalog  # what is wrong with the catalog is not the maps' fault
        try:
            super().setup_mapper()
        except Exception as error:  # noqa: BLE001  (the SDK raises whatever comes up)
            raise _unusable_maps(error) from None

    @classproperty
    def _env_var_config(cls) -> dict[str, Any]:  # noqa: N805  (as the SDK has it)
        """Settings from the environment; the SDK's own parser would show values that are wrong."""
        return values.from_environment(os.environ)

    def _handle_termination(self, signum: int, frame: FrameType | None) -> None:
        """End with the exit code of the signal: a run that was cut short did not succeed."""
        try:
            super()._handle_termination(signum, frame)
        except SystemExit:
            sys.exit(128 + signum)

    @classmethod
    def get_singer_command(cls) -> click.Command:
        """Return the command line, with secrets masked in all that is logged."""
        install()
        command = super().get_singer_command()
        return TapCommand(
            name=command.name,
            callback=command.callback,
            context_settings=command.context_settings,
            params=command.params,
            help="Exchange, refresh and keep TikTok tokens, and emit what they grant.",
            logger=cls.logger,
        )

    @classmethod
    def cb_config(  # type: ignore[override]
        cls, ctx: click.Context, param: click.Option, value: tuple[str, ...]
    ) -> Given:
        """Return where the settings come from."""
        del param
        if errors.by_meltano() is None:  # whose config file ends with the run
            errors.came_with(value)
            ctx.call_on_close(lambda: errors.came_with(()))
        return Given(value)

    @classmethod
    def invoke(
        cls,
        *,
        about: bool = False,
        about_format: str | None = None,
        **options: Any,
    ) -> None:
        """Run the tap; as the SDK's own, with our exit policy at the end."""
        if about:
            cls.print_about(about_format)
            sys.exit(0)
        cls.print_version(print_fn=cls.logger.info)
        tap = cls(
            config=options["config"].config,
            state=_json(options.get("state"), "state"),
            catalog=_catalog(options.get("catalog")),
        )
        tap.complete(tap.sync_all)

    @classmethod
    def cb_test(cls, ctx: click.Context, param: click.Option, value: str) -> None:
        """Run `--test`; as the SDK's own, but a connection that fails fails the test."""
        if value != CliTestOptionValue.All.value:
            super().cb_test(ctx, param, value)
            return
        tap = cls(config=ctx.params["config"].config)
        tap.complete(tap.run_connection_test)
        ctx.exit()


def _unusable_maps(error: Exception) -> ConfigurationError:
    why = "; ".join(getattr(error, "errors", None) or [str(error)])
    return ConfigurationError(
        f"the Singer SDK cannot use the stream maps or the flattening: {clean(why)}".rstrip("."),
        next_step="Correct stream_maps and the settings flattening_*.",
    )


def _catalog(file: IO[str] | None) -> dict[str, Any] | None:
    """Read a catalog; the SDK would come upon what is wrong in it one by one, the last in a sync.

    Raises:
        ConfigurationError: It is none.
    """
    content = _json(file, "catalog")
    try:
        fits = all(map(_fits, Catalog.from_dict(content or {}).values()))
    except (AttributeError, KeyError, TypeError, ValueError):
        fits = False
    if not fits:
        raise ConfigurationError(
            "the catalog file is not of the kind that Singer has",
            next_step="Make it anew: tap-tiktok-auth --discover > catalog.json",
        )
    return content


def _fits(stream: CatalogEntry) -> bool:
    stream.metadata.resolve_selection()
    keys = (None, *stream.schema.to_dict()["properties"])
    return stream.stream in {None, stream.tap_stream_id} and stream.replication_key in keys


def _json(file: IO[str] | None, what: str) -> dict[str, Any] | None:
    if file is None:
        return None
    try:
        content = json.loads(file.read())
    except (ValueError, RecursionError):
        content = None
    if not isinstance(content, dict):
        raise ConfigurationError(f"the {what} file is not a JSON object")
    return content
