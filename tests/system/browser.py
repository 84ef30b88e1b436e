"""Airflow's UI in Debian's Chromium, as an analyst uses it."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

CHROMIUM = "/usr/bin/chromium"
SWITCHES = ("headless", "no-sandbox", "disable-gpu", "disable-quic", "no-first-run", "disable-sync")
MORE_SWITCHES = ("disable-background-networking", "disable-component-update")
PATIENCE_MS = 120_000
ARTIFACTS = Path(__file__).parents[2] / "artifacts"


@contextmanager
def logged_in(url: str, path: str, *, user: str, password: str) -> Iterator[Page]:
    """A page of Airflow's UI, reached through its login form."""
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as profile:
        context = playwright.chromium.launch_persistent_context(
            profile,
            executable_path=CHROMIUM,
            args=[f"--{switch}" for switch in SWITCHES + MORE_SWITCHES],
            viewport={"width": 1400, "height": 1400},
        )
        try:
            page = context.new_page()
            page.set_default_timeout(PATIENCE_MS)
            page.goto(f"{url}{path}")
            page.locator("input[name=username]").fill(user)
            page.locator("input[name=password]").fill(password)
            page.locator("button[type=submit]").click()
            page.wait_for_url(f"**{path}*")
            yield page
        finally:
            context.close()


def fill_backfill_form(page: Page, first: datetime, last: datetime) -> None:
    """Open the trigger dialog and ask for all runs from `first` to `last` (UTC), both included."""
    page.get_by_role("button", name="Trigger").first.click()
    page.get_by_text("Backfill", exact=True).first.click()
    for number, at in enumerate((first, last)):
        page.get_by_test_id("datetime-input").nth(number).click()
        for placeholder, text in (("YYYY/MM/DD", f"{at:%Y/%m/%d}"), ("HH:mm", f"{at:%H:%M}")):
            field = page.get_by_placeholder(placeholder).locator("visible=true")
            field.fill(text)
            field.press("Enter")
        page.keyboard.press("Escape")
        page.get_by_placeholder("HH:mm").locator("visible=true").wait_for(state="hidden")
    page.get_by_text("All Runs").click()


def keep_screenshot(page: Page, name: str) -> None:
    """Save what the page shows under artifacts/."""
    ARTIFACTS.mkdir(exist_ok=True)
    page.screenshot(path=ARTIFACTS / f"{name}.png")
