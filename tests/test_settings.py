"""config.toml: what it may say, and how it complains."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pacs_tui.errors import SettingsError
from pacs_tui.settings import ArchiveSettings, Area, Caller, Limits, Settings, Timeouts, load, render


def loaded(home: Path, text: str) -> Settings:
    (home / "config.toml").write_text(text)
    return load({"PACS_TUI_HOME": str(home)})


def test_without_a_file_everything_is_default_under_the_home(tmp_path: Path) -> None:
    settings = load({"PACS_TUI_HOME": str(tmp_path)})
    assert settings == Settings(tmp_path / "config.toml", tmp_path / "state", tmp_path / "cache", tmp_path / "data")


def test_xdg_folders_are_used_and_relative_ones_ignored() -> None:
    settings = load({"HOME": "/nowhere", "XDG_STATE_HOME": "/x/state", "XDG_CACHE_HOME": "relative"})
    assert settings.config == Path("/nowhere/.config/pacs-tui/config.toml")
    assert settings.state == Path("/x/state/pacs-tui")
    assert settings.cache == Path("/nowhere/.cache/pacs-tui")
    assert settings.data == Path("/nowhere/.local/share/pacs-tui")


def test_every_table_is_read(tmp_path: Path) -> None:
    settings = loaded(
        tmp_path,
        """
        ae_title = "WARD7"
        query_limit = 50
        echo_seconds = 5
        [timeouts]
        connect = 2.5
        [archive]
        host = "0.0.0.0"
        [[archive.area]]
        ae_title = "STA1"
        port = 11112
        sta = "areas/sta1"
        lta = "/lta"
        peers = ["MED1", "OT"]
        [[archive.area]]
        ae_title = "STA2"
        port = 0
        sta = "areas/sta2"
        [archive.limits]
        per_host = 3
        """,
    )
    assert (settings.ae_title, settings.query_limit, settings.echo_seconds) == ("WARD7", 50, 5.0)
    assert isinstance(settings.echo_seconds, float)
    assert settings.timeouts == Timeouts(connect=2.5)
    data = tmp_path / "data"
    assert settings.archive == ArchiveSettings(
        "0.0.0.0",
        (
            Area("STA1", 11112, data / "areas/sta1", Path("/lta"), (Caller("MED1"), Caller("OT"))),
            Area("STA2", 0, data / "areas/sta2"),
        ),
        Limits(per_host=3),
    )


AREA = '[[archive.area]]\nae_title = "A"\nport = 1\nsta = "a"\n'


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[archve]\n", "config.toml: unknown key 'archve'; did you mean 'archive'?"),
        ("[timeouts]\nconect = 1\n", "unknown key 'timeouts.conect'; did you mean 'timeouts.connect'?"),
        ("zzz = 1\n", "unknown key 'zzz'; known are timeouts, archive, ae_title"),
        ("[archive]\nhosts = 'x'\n", "did you mean 'archive.host'?"),
        ("[[archive.area]]\nae_titel = 'x'\n", "did you mean 'archive.area.ae_title'?"),
        ("[[archive.area]]\nport = 1\nsta = 'x'\n", "archive.area.ae_title: is missing"),
        ("query_limit = 'many'\n", "query_limit: is 'many'; expected a whole number from 1 to 1000000"),
        ("query_limit = true\n", "expected a whole number"),
        ("query_limit = 1.5\n", "expected a whole number"),
        ("query_limit = 0\n", "query_limit: is 0; expected"),
        ("echo_seconds = nan\n", "expected a number"),
        ("ae_title = 'MUCH_TOO_LONG_TITLE'\n", "1 to 16 printable ASCII characters"),
        ("ae_title = 5\n", "ae_title: is 5; expected text"),
        ("timeouts = 5\n", "timeouts: is 5; expected a table, [timeouts]"),
        ("[archive.area]\nae_title = 'A'\n", "each under [[archive.area]]"),
        (AREA + "peers = 'MED1'\n", "expected a list of AE titles"),
        (AREA + "peers = [1]\n", "archive.area.peers: is 1"),
        (AREA + AREA.replace("1", "2"), "the AE title A belongs to two of them"),
        (AREA + AREA.replace('"A"', '"B"'), "the port 1 belongs to two of them"),
        ("a = \n", "this is not TOML"),
        ("\n\nquery_limit 5", "line 3"),
    ],
)
def test_complaints_name_file_and_key(tmp_path: Path, text: str, sentence: str) -> None:
    with pytest.raises(SettingsError) as caught:
        loaded(tmp_path, text)
    assert str(tmp_path / "config.toml") in str(caught.value)
    assert sentence in str(caught.value)


def test_a_file_that_is_no_text_or_no_file(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_bytes(b"a = 1\nb = '\xff'\n")
    with pytest.raises(SettingsError, match="line 2 is not UTF-8"):
        load({"PACS_TUI_HOME": str(tmp_path)})
    (tmp_path / "config.toml").unlink()
    (tmp_path / "config.toml").mkdir()
    with pytest.raises(SettingsError, match="cannot be read"):
        load({"PACS_TUI_HOME": str(tmp_path)})


titles = st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="\\"), min_size=1, max_size=16)
paths = st.text(st.characters(exclude_categories=["C", "Z"], exclude_characters="/~"), min_size=1).filter(
    lambda name: name not in (".", "..")
)


@given(
    titles=st.lists(titles, max_size=3, unique=True),
    names=st.lists(paths, min_size=3, max_size=3),
    connect=st.floats(0.1, 3600),
    limit=st.integers(1, 1000),
)
def test_what_is_rendered_loads_back_equal(
    tmp_path_factory: pytest.TempPathFactory, titles: list[str], names: list[str], connect: float, limit: int
) -> None:
    home = tmp_path_factory.mktemp("home")
    base = load({"PACS_TUI_HOME": str(home)})
    areas = tuple(
        Area(title, 1000 + i, base.data / names[i], Path("/lta") / names[i] if i else None, tuple(map(Caller, titles)))
        for i, title in enumerate(titles)
    )
    settings = Settings(
        base.config, base.state, base.cache, base.data,
        ae_title="X", query_limit=limit, timeouts=Timeouts(connect=connect),
        archive=ArchiveSettings("::1", areas, Limits(idle_seconds=7)),
    )  # fmt: skip
    assert loaded(home, render(settings)) == settings
