"""The two faces of the console: its own colours, and the terminal's where there are only sixteen.

Colour only carries meaning: green for what was proved, red for failures, amber for what needs a look, blue for where
the focus is. Everything is also said in words or signs, so nothing is lost without colour.
"""

from __future__ import annotations

from textual.theme import Theme

PACS = Theme(
    name="pacs",
    primary="#5fa8d3",
    secondary="#4a6f8a",
    accent="#5fa8d3",
    success="#7fbf7f",
    warning="#d7a65f",
    error="#e0707a",
    foreground="#c8d0da",
    background="#11161c",
    surface="#11161c",
    panel="#1a222b",
    variables={
        "role-dim": "#7d8a99",
        "role-good": "#7fbf7f",
        "role-bad": "#e0707a",
        "role-warn": "#d7a65f",
        "role-busy": "#5fa8d3",
        "role-key": "#87c1e6",
        "line": "#37444f",
        "line-focus": "#5fa8d3",
        "cursor": "#274a63",
        "cursor-blurred": "#1f2c37",
        "bar": "#1a222b",
        "input-cursor-background": "#c8d0da",
        "input-cursor-foreground": "#11161c",
        "input-selection-background": "#274a63",
        "border": "#5fa8d3",
        "border-blurred": "#37444f",
        "scrollbar": "#37444f",
        "scrollbar-hover": "#4a5a68",
        "scrollbar-active": "#5fa8d3",
        "scrollbar-background": "#151b22",
        "scrollbar-background-hover": "#151b22",
        "scrollbar-background-active": "#151b22",
        "scrollbar-corner-color": "#151b22",
    },
)

PACS_ANSI = Theme(
    name="pacs-ansi",
    ansi=True,
    primary="ansi_blue",
    secondary="ansi_cyan",
    accent="ansi_cyan",
    success="ansi_green",
    warning="ansi_yellow",
    error="ansi_red",
    foreground="ansi_default",
    background="ansi_default",
    surface="ansi_default",
    panel="ansi_default",
    boost="ansi_default",
    variables={
        "role-dim": "ansi_default",
        "role-good": "ansi_green",
        "role-bad": "ansi_red",
        "role-warn": "ansi_yellow",
        "role-busy": "ansi_cyan",
        "role-key": "ansi_cyan",
        "line": "ansi_default",
        "line-focus": "ansi_cyan",
        "cursor": "ansi_default",
        "cursor-blurred": "ansi_default",
        "bar": "ansi_default",
        "border": "ansi_cyan",
        "border-blurred": "ansi_default",
        "ansi-background": "ansi_black",
        "ansi-foreground": "ansi_white",
        "block-cursor-foreground": "ansi_black",
        "block-cursor-background": "ansi_white",
        "input-cursor-background": "ansi_white",
        "input-cursor-foreground": "ansi_black",
        "input-selection-background": "ansi_blue",
        "screen-selection-background": "ansi_blue",
        "screen-selection-foreground": "ansi_black",
    },
)


def theme_for(colours: str) -> Theme:
    """The theme that stays readable with what the terminal can show; NO_COLOR turns either into greys or none."""
    return PACS_ANSI if colours == "16" else PACS
