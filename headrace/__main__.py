"""`python -m headrace COMMAND`: every command lives in a module of its own."""

import sys

import typer

from contracts.errors import HeadraceError
from headrace import (
    archive,
    dead_letters,
    demo,
    evaluate,
    hour,
    import_events,
    infer,
    keys,
    models_list,
    serve,
    simulate,
    skew,
    versions,
)

app = typer.Typer(help="Headrace: hourly recommendations for the head, look-ups that never wait.", no_args_is_help=True)
app.command("demo")(demo.demo_command)
app.command("import")(import_events.import_command)
app.command("simulate")(simulate.simulate_command)
app.command("hour")(hour.hour_command)
app.command("train")(hour.train_command)
app.command("evaluate")(evaluate.evaluate_command)
app.command("serve")(serve.serve_command)
app.command("infer")(infer.infer_command)
app.command("archive")(archive.archive_command)
app.command("skew")(skew.skew_command)
app.command("versions")(versions.versions_command)
app.command("rollback")(versions.rollback_command)
app.command("refill")(versions.refill_command)
app.add_typer(models_list.models_app, name="models")
app.add_typer(keys.keys_app, name="keys")
app.add_typer(dead_letters.dead_letters_app, name="dead-letters")


@app.callback()
def _commands() -> None:
    pass  # with a callback, a lone command still goes by its name


def main() -> None:
    """Run the command line; an expected error is one sentence and exit code 2."""
    try:
        app()
    except HeadraceError as error:
        print(f"headrace: {error}", file=sys.stderr)
        raise SystemExit(2) from None


if __name__ == "__main__":
    main()
