from analysis.figures.caption import caption
from analysis.figures.final_values import lines_by_row, setting_panels
from analysis.figures.part import Part

METRIC = "train_neg_elbo"


def test_each_cell_without_the_axis_is_a_level_line_also_where_cells_are_points(results_of):
    grid = [
        ("reinmax_cv", "8x4", [100.0], {"lr": f"0.{lr}", "temperature": temperature, "eta": eta})
        for lr in range(1, 5)
        for temperature in (0.5, 1.0, 1.5)
        for eta in (0.5, 1.5)
    ]
    levels = [("st", "8x4", [value], {"lr": lr}) for value, lr in ((110.0, "0.1"), (120.0, "0.2"))]
    results = results_of(METRIC, *grid, *levels)
    (panel,) = setting_panels(results, "eta")
    points, *straight = panel.lines
    assert (points.label, len(points.x), points.is_joined) == ("ReinMax-CV", 24, False)
    assert [line.label for line in straight] == ["ST", "ST"]
    assert [list(line.mean) for line in straight] == [[110.0, 110.0], [120.0, 120.0]]
    assert [list(line.x) for line in straight] == [[0.5, 1.5], [0.5, 1.5]]
    said = " ".join(caption([Part(results, (panel,), line_of=lines_by_row(results, "eta"))]))
    assert "Every point and every level line is a cell; other hyperparameters differ between them." in said


def test_without_level_lines_the_caption_speaks_of_points_alone(results_of):
    grid = [
        ("reinmax", "8x4", [100.0], {"lr": f"0.{lr}", "temperature": str(temperature)})
        for lr in range(1, 5)
        for temperature in range(1, 12)
    ]
    results = results_of(METRIC, *grid)
    said = " ".join(caption([Part(results, tuple(setting_panels(results, "lr")))]))
    assert "Every point is a cell; other hyperparameters" in said
