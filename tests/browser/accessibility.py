"""What axe-core finds wrong with a page, in light and in dark."""

from pathlib import Path
from typing import Any, Literal

from playwright.sync_api import Page

_AXE = Path(__file__).parent / "vendor" / "axe-core" / "axe.min.js"
_RUN = """async () => {
    const { violations } = await axe.run(document, { resultTypes: ["violations"] });
    return violations.map(({ id, help, nodes }) => ({ id, help, where: nodes.map(node => node.html.slice(0, 160)) }));
}"""
_THEMES: tuple[Literal["dark", "light"], ...] = ("dark", "light")


def assert_accessible(page: Page) -> None:
    """Nothing that axe-core knows of keeps people from using what the page shows now, light or dark."""
    found: dict[str, list[dict[str, Any]]] = {}
    for theme in _THEMES:
        page.emulate_media(color_scheme=theme)
        # Not a script element: the page's policy lets none in that is not its own.
        if not page.evaluate("'axe' in window"):
            page.evaluate(_AXE.read_text(encoding="utf-8"))
        found[theme] = page.evaluate(_RUN)
    page.emulate_media(color_scheme=None)
    assert found == {theme: [] for theme in _THEMES}, found
