"""Write .env.example and docs/settings.md from the settings themselves; a test holds the three together."""

from dataclasses import fields
from pathlib import Path

from contracts.settings import ENV_PREFIX, Settings

ROOT = Path(__file__).parents[1]


def main() -> None:
    """Overwrite both pages."""
    rows = [(ENV_PREFIX + f.name.upper(), str(f.default), f.metadata["doc"]) for f in fields(Settings)]
    example = "\n".join(f"# {doc}\n#{name}={value}" for name, value, doc in rows)
    (ROOT / ".env.example").write_text(
        "# Every setting with its default; an unknown HEADRACE_* name is an error.\n\n" + example + "\n"
    )
    table = "\n".join(f"| `{name}` | {f'`{value}`' if value else 'empty'} | {doc} |" for name, value, doc in rows)
    (ROOT / "docs" / "settings.md").write_text(
        "# Settings\n\nRead once at each process's edge from the environment; a name that is not here is an error.\n\n"
        f"| setting | default | what it does |\n|---|---|---|\n{table}\n"
    )


if __name__ == "__main__":
    main()
