"""The published Omniglot sets: characters per alphabet. Each character was drawn by 20 people."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

NUM_DRAWERS = 20
BACKGROUND = "images_background"
EVALUATION = "images_evaluation"

_BACKGROUND_CHARACTERS = {
    "Alphabet_of_the_Magi": 20,
    "Anglo-Saxon_Futhorc": 29,
    "Arcadian": 26,
    "Armenian": 41,
    "Asomtavruli_(Georgian)": 40,
    "Balinese": 24,
    "Bengali": 46,
    "Blackfoot_(Canadian_Aboriginal_Syllabics)": 14,
    "Braille": 26,
    "Burmese_(Myanmar)": 34,
    "Cyrillic": 33,
    "Early_Aramaic": 22,
    "Futurama": 26,
    "Grantha": 43,
    "Greek": 24,
    "Gujarati": 48,
    "Hebrew": 22,
    "Inuktitut_(Canadian_Aboriginal_Syllabics)": 16,
    "Japanese_(hiragana)": 52,
    "Japanese_(katakana)": 47,
    "Korean": 40,
    "Latin": 26,
    "Malay_(Jawi_-_Arabic)": 40,
    "Mkhedruli_(Georgian)": 41,
    "N_Ko": 33,
    "Ojibwe_(Canadian_Aboriginal_Syllabics)": 14,
    "Sanskrit": 42,
    "Syriac_(Estrangelo)": 23,
    "Tagalog": 17,
    "Tifinagh": 55,
}
_EVALUATION_CHARACTERS = {
    "Angelic": 20,
    "Atemayar_Qelisayer": 26,
    "Atlantean": 26,
    "Aurek-Besh": 26,
    "Avesta": 26,
    "Ge_ez": 26,
    "Glagolitic": 45,
    "Gurmukhi": 45,
    "Kannada": 41,
    "Keble": 26,
    "Malayalam": 47,
    "Manipuri": 40,
    "Mongolian": 30,
    "Old_Church_Slavonic_(Cyrillic)": 45,
    "Oriya": 46,
    "Sylheti": 28,
    "Syriac_(Serto)": 23,
    "Tengwar": 25,
    "Tibetan": 42,
    "ULOG": 26,
}


def _background_part(*alphabets: str) -> dict[str, int]:
    return {alphabet: _BACKGROUND_CHARACTERS[alphabet] for alphabet in alphabets}


CHARACTERS: dict[str, Mapping[str, int]] = {
    BACKGROUND: _BACKGROUND_CHARACTERS,
    EVALUATION: _EVALUATION_CHARACTERS,
    "images_background_small1": _background_part("Balinese", "Early_Aramaic", "Greek", "Korean", "Latin"),
    "images_background_small2": _background_part(
        "Greek", "Japanese_(katakana)", "Latin", "Sanskrit", "Tagalog"
    ),
}
"""Characters per alphabet of each official set. The small sets are parts of the first and overlap."""


def expected_images(sets: Iterable[str]) -> dict[str, int]:
    """Return images per alphabet of the union of the sets, an image that is in two of them counted once.

    Args:
        sets: Names of official sets.

    Returns:
        Alphabet to number of images, sorted by alphabet.

    Raises:
        KeyError: If a set is not an official one.
    """
    characters = {alphabet: count for name in sets for alphabet, count in CHARACTERS[name].items()}
    return {alphabet: NUM_DRAWERS * characters[alphabet] for alphabet in sorted(characters)}
