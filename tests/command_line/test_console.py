"""What the colours of a terminal say can be read, and is said in words, too."""

import pytest
from rich.console import Console
from rich.style import Style

from office365_message_trace.checks.findings import Level
from office365_message_trace.cli.console import STYLES, line
from office365_message_trace.cli.verdict import Health

WHITE, BLACK = 1.0, 0.0


def luminance(style: Style) -> float:
    """The relative luminance of the text, as WCAG 2.1 defines it."""
    assert style.color is not None
    parts = [each / 255 for each in style.color.get_truecolor()]
    linear = [v / 12.92 if v <= 0.03928 else ((v + 0.055) / 1.055) ** 2.4 for v in parts]
    return sum(v * weight for v, weight in zip(linear, (0.2126, 0.7152, 0.0722), strict=True))


@pytest.mark.parametrize("level", [name for name in STYLES if name != "info"])
@pytest.mark.parametrize("background", [WHITE, BLACK])
def test_a_colour_can_be_read_on_a_light_background_and_on_a_dark_one(
    level: str, background: float
) -> None:
    """With a contrast of 3, which WCAG 2.1 asks for marks and large text."""
    dark, light = sorted((luminance(Style.parse(STYLES[level])), background))
    assert (light + 0.05) / (dark + 0.05) >= 3


def test_each_level_has_a_style_and_its_name_before_the_text() -> None:
    levels = {each.value for each in (*Level, *Health)}
    assert levels <= set(STYLES)
    console = Console(width=80)
    for level in levels:
        with console.capture() as shown:
            console.print(line(level, "", "text"))
        assert shown.get().startswith(level)
