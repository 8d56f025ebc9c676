"""The `neoserve` command."""

from __future__ import annotations

from importlib.metadata import version

import click

from client.commands.api import api
from client.commands.batch import batch
from client.commands.cancel import cancel
from client.commands.health import health
from client.commands.jobs import jobs
from client.commands.keys import keys
from client.commands.output import printable
from client.commands.predict import predict
from client.commands.retry import retry
from client.commands.settings import settings
from client.commands.status import status
from client.commands.submit import submit
from client.commands.up import up
from client.commands.wait import wait
from client.commands.worker import worker
from client.errors import ClientError
from client.plain import exit_code, in_words
from neoserve import NeoServeError
from tasks.jobs.settings import InvalidSetting

INTERRUPTED = 130


def say(words: str) -> None:
    """They may be a service's, and hold what a terminal would obey."""
    click.echo(f"neoserve: {printable(words)}", err=True)


class PlainErrors(click.Group):
    """Errors as one plain line on stderr, with the exit codes that `neoserve --help` names."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except ClientError as error:
            say(str(error))
            ctx.exit(error.exit_code)
        except NeoServeError as error:
            say(in_words(error))
            ctx.exit(exit_code(error))
        except InvalidSetting as error:
            say(f"{error}. Correct it; `neoserve settings` explains each.")
            ctx.exit(ClientError.exit_code)
        except BrokenPipeError:
            raise  # Whoever read has gone; click knows.
        except OSError as error:
            place = f"{error.filename}: " if error.filename else ""
            say(f"{place}{error.strerror or error}. Correct it, and type the same command again.")
            ctx.exit(ClientError.exit_code)
        except KeyboardInterrupt:
            ctx.exit(INTERRUPTED)


@click.group(
    cls=PlainErrors,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog="Exit codes: 0 done, 1 failed, 2 wrong usage, 3 the service is away or says to try later, "
    "4 the service refuses the request, 5 the job has not ended in the time given, 130 interrupted.",
)
@click.version_option(version("neoserve"), prog_name="neoserve")
def main() -> None:
    """Text generation with GPT-Neo behind a dependable job queue.

    `neoserve up` runs everything in this terminal; `neoserve predict "Once upon a time"` uses it.
    """


COMMANDS = (
    up,
    api,
    worker,
    predict,
    submit,
    status,
    wait,
    jobs,
    cancel,
    retry,
    batch,
    health,
    keys,
    settings,
)

for command in COMMANDS:
    main.add_command(command)


if __name__ == "__main__":
    main()
