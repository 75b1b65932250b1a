"""The fonts of a PDF: Noto Sans for Latin, Greek and Cyrillic, Noto Sans CJK for the rest; see decision 0039.

A font is only read when a text needs it, and only the used characters become part of the file.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from fpdf import FPDF
from fpdf.fonts import TTFFont
from noto_cjk_sans_jp_regular import FONT_PATH
from pymupdf_fonts import myfont

type Run = tuple[str, str]
"""The family of a font, and text in it."""

_LATIN, _CJK = "latin", "cjk"
# Shown for a character that no font has.
_UNKNOWN = "\N{REPLACEMENT CHARACTER}"


class Fonts:
    """The fonts of one file: sets text in the first one that has its characters, and measures it."""

    def __init__(self, pdf: FPDF, folder: Path) -> None:
        self._pdf = pdf
        self._faces: dict[tuple[str, str], TTFFont] = {}
        for style, name in (("", "notos"), ("B", "notosbo")):
            path = folder / f"{name}.ttf"
            path.write_bytes(myfont(name))
            self._add(_LATIN, style, path)
        self._latin = {style: frozenset(map(chr, self._faces[_LATIN, style].cmap)) for style in ("", "B")}

    def width(self, text: str, style: str, size: float) -> float:
        """Return the width of text in millimeters."""
        thousandths = 0.0
        for family, part in self._runs(text, style):
            widths = self._faces[family, style].cw
            thousandths += sum(widths[ord(letter)] for letter in part)
        return thousandths * size / 1000 / self._pdf.k

    def draw(self, place: tuple[float, float], text: str, style: str, size: float) -> None:
        """Draw text from a place on, in millimeters."""
        x, y = place
        for family, part in self._runs(text, style):
            self._pdf.set_font(family, style if family == _LATIN else "", size)
            self._pdf.text(x, y, part)
            x += self.width(part, style, size)

    def _runs(self, text: str, style: str) -> list[Run]:
        """Return text in parts, each with the family of its font."""
        latin = self._latin[style]
        if latin.issuperset(text):
            return [(_LATIN, text)]
        runs: list[Run] = []
        for letter in text:
            family, shown = (_LATIN, letter) if letter in latin else self._of_others(letter)
            if runs and runs[-1][0] == family:
                shown = runs.pop()[1] + shown
            runs.append((family, shown))
        return runs

    def _of_others(self, letter: str) -> Run:
        if (_CJK, "") not in self._faces:
            self._add(_CJK, "", Path(str(FONT_PATH)))
            self._faces[_CJK, "B"] = self._faces[_CJK, ""]
        return (_CJK, letter) if ord(letter) in self._faces[_CJK, ""].cmap else (_LATIN, _UNKNOWN)

    def _add(self, family: str, style: str, path: Path) -> None:
        self._pdf.add_font(family, style, path)
        face = self._pdf.fonts[family + style]
        if not isinstance(face, TTFFont):
            raise TypeError(f"{path.name} is no font to embed")
        self._faces[family, style] = face


@contextmanager
def fonts_of(pdf: FPDF) -> Iterator[Fonts]:
    """Yield the fonts, which are there until the file is written."""
    with TemporaryDirectory() as folder:
        yield Fonts(pdf, Path(folder))
