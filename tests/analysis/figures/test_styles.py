from analysis.figures.styles import ESTIMATOR_STYLES, MOST_VARIANTS, styles_of, variant
from analysis.names import ESTIMATOR_NAMES


def test_every_named_estimator_has_a_colour_and_a_marker_of_its_own():
    assert set(ESTIMATOR_STYLES) == set(ESTIMATOR_NAMES)
    assert len({style.color for style in ESTIMATOR_STYLES.values()}) == len(ESTIMATOR_STYLES)
    assert len({style.marker for style in ESTIMATOR_STYLES.values()}) == len(ESTIMATOR_STYLES)


def test_style_does_not_depend_on_who_else_is_in_the_figure():
    assert styles_of(["reinmax"])["reinmax"] == styles_of(["st", "mine", "reinmax"])["reinmax"]
    assert styles_of(["mine"]) == styles_of(["mine"])


def test_unknown_estimators_of_one_figure_never_look_alike():
    unknown = [f"mine{number}" for number in range(30)]
    styles = styles_of([*unknown, *ESTIMATOR_STYLES])
    assert len(set(styles.values())) == 30 + len(ESTIMATOR_STYLES)
    assert styles_of(reversed(unknown)) == styles_of(unknown)


def test_variants_can_be_told_apart_without_colour_and_the_only_one_is_plain():
    style = ESTIMATOR_STYLES["reinmax"]
    looks = [variant(style, index, MOST_VARIANTS) for index in range(MOST_VARIANTS)]
    assert len({(look.fill, look.dashes) for look in looks}) == MOST_VARIANTS
    only = variant(style, 0, 1)
    assert (only.color, only.marker, only.fill, only.dashes) == (style.color, style.marker, "full", "-")
