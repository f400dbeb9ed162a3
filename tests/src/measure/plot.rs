//! Plots of tables as SVG.

use std::error::Error;
use std::path::Path;

use plotters::coord::Shift;
use plotters::coord::ranged1d::{SegmentValue, SegmentedCoord};
use plotters::coord::types::{RangedCoordf64, RangedCoordusize};
use plotters::prelude::*;

use super::report::Unit;

/// One bar and the range that its rounds lie in.
pub(super) struct Bar {
    pub(super) name: String,
    pub(super) value: f64,
    pub(super) extremes: (f64, f64),
}

type Plotted = Result<(), Box<dyn Error>>;

/// Draws a bar for each case, from left to right, with a thin line from the smallest to the largest
/// round.
pub(super) fn bars(path: &Path, title: &str, unit: Unit, bars: &[Bar]) -> Plotted {
    let count = bars.len();
    let height = 100 + 34 * u32::try_from(count)?;
    let root = SVGBackend::new(path, (WIDTH, height)).into_drawing_area();
    root.fill(&WHITE)?;
    let largest = largest(bars.iter().map(|bar| bar.extremes.1));
    // Plots count from below, tables from above.
    let name = |segment: &SegmentValue<usize>| match segment {
        SegmentValue::CenterOf(index) if *index < count => bars[count - 1 - index].name.clone(),
        _ => String::new(),
    };
    let mut chart = ChartBuilder::on(&root)
        .caption(title, (FONT, 18))
        .margin(12)
        .x_label_area_size(36)
        .y_label_area_size(280)
        .build_cartesian_2d(
            0.0..largest * 1.05,
            (0..count.saturating_sub(1)).into_segmented(),
        )?;
    chart
        .configure_mesh()
        .disable_y_mesh()
        .light_line_style(TRANSPARENT)
        .y_labels(count)
        .x_labels(8)
        .x_label_formatter(&|number| unit.write(*number))
        .y_label_formatter(&name)
        .draw()?;
    for (row, bar) in bars.iter().rev().enumerate() {
        let (below, above) = (SegmentValue::Exact(row), SegmentValue::Exact(row + 1));
        let colour = Palette99::pick(count - 1 - row).mix(0.8).filled();
        let mut rectangle = Rectangle::new([(0.0, below), (bar.value, above)], colour);
        rectangle.set_margin(5, 5, 0, 0);
        let middle = SegmentValue::CenterOf(row);
        let range = [(bar.extremes.0, middle.clone()), (bar.extremes.1, middle)];
        chart.draw_series([rectangle])?;
        chart.draw_series([PathElement::new(range, BLACK)])?;
    }
    Ok(root.present()?)
}

/// Draws a line for each series over the labelled points.
pub(super) fn lines(
    path: &Path,
    title: &str,
    labels: &[String],
    series: &[(String, Vec<f64>)],
) -> Plotted {
    let root = SVGBackend::new(path, (WIDTH, 480)).into_drawing_area();
    root.fill(&WHITE)?;
    let count = labels.len();
    let label = |segment: &SegmentValue<usize>| match segment {
        SegmentValue::CenterOf(index) => labels.get(*index).cloned().unwrap_or_default(),
        _ => String::new(),
    };
    let top = largest(numbers(series)) * 1.1;
    let mut chart = over_labels(&root, title, 60, count, top, &label, None)?;
    for (index, (name, numbers)) in series.iter().enumerate() {
        let colour = Palette99::pick(index).stroke_width(2);
        let points = numbers.iter().enumerate();
        let points = points.map(|(point, number)| (SegmentValue::CenterOf(point), *number));
        chart
            .draw_series(LineSeries::new(points, colour))?
            .label(name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], colour));
    }
    legend(&mut chart, SeriesLabelPosition::MiddleRight)?;
    Ok(root.present()?)
}

/// Draws a group of bars for each label. A group has one bar for each series.
pub(super) fn groups(
    path: &Path,
    title: &str,
    unit: Unit,
    labels: &[String],
    series: &[(String, Vec<f64>)],
) -> Plotted {
    // An empty place parts the groups.
    let places = series.len() + 1;
    let count = labels.len() * places;
    let width = WIDTH.max(200 + 16 * u32::try_from(count)?);
    let root = SVGBackend::new(path, (width, 480)).into_drawing_area();
    root.fill(&WHITE)?;
    let label = |segment: &SegmentValue<usize>| match segment {
        SegmentValue::CenterOf(place) if place % places == (places - 1) / 2 => {
            labels.get(place / places).cloned().unwrap_or_default()
        }
        _ => String::new(),
    };
    let top = largest(numbers(series)) * 1.25;
    let mut chart = over_labels(&root, title, 80, count, top, &label, Some(unit))?;
    for (index, (name, numbers)) in series.iter().enumerate() {
        let colour = Palette99::pick(index).mix(0.8).filled();
        let bars = numbers.iter().enumerate().map(|(group, number)| {
            let place = group * places + index;
            let (left, right) = (SegmentValue::Exact(place), SegmentValue::Exact(place + 1));
            Rectangle::new([(left, 0.0), (right, *number)], colour)
        });
        chart
            .draw_series(bars)?
            .label(name)
            .legend(move |(x, y)| Rectangle::new([(x, y - 5), (x + 10, y + 5)], colour));
    }
    legend(&mut chart, SeriesLabelPosition::UpperRight)?;
    Ok(root.present()?)
}

type Root<'b> = DrawingArea<SVGBackend<'b>, Shift>;
type Chart<'a, 'b> =
    ChartContext<'a, SVGBackend<'b>, Cartesian2d<SegmentedCoord<RangedCoordusize>, RangedCoordf64>>;

/// Begins a chart of numbers from zero to `top` over so many labelled places.
fn over_labels<'a, 'b>(
    root: &'a Root<'b>,
    title: &str,
    margin: u32,
    places: usize,
    top: f64,
    label: &dyn Fn(&SegmentValue<usize>) -> String,
    unit: Option<Unit>,
) -> Result<Chart<'a, 'b>, Box<dyn Error>> {
    let mut chart = ChartBuilder::on(root)
        .caption(title, (FONT, 18))
        .margin(12)
        .x_label_area_size(36)
        .y_label_area_size(margin)
        .build_cartesian_2d((0..places.saturating_sub(1)).into_segmented(), 0.0..top)?;
    let number = unit.map(|unit| move |number: &f64| unit.write(*number));
    let mut mesh = chart.configure_mesh();
    mesh.disable_x_mesh()
        .light_line_style(TRANSPARENT)
        .x_labels(places)
        .x_label_formatter(&label);
    if let Some(number) = &number {
        mesh.y_label_formatter(number);
    }
    mesh.draw()?;
    Ok(chart)
}

fn legend<'a, 'b: 'a>(chart: &mut Chart<'a, 'b>, position: SeriesLabelPosition) -> Plotted {
    let mut labels = chart.configure_series_labels();
    labels.background_style(WHITE.mix(0.8)).border_style(BLACK);
    labels.position(position).draw()?;
    Ok(())
}

fn numbers(series: &[(String, Vec<f64>)]) -> impl Iterator<Item = f64> {
    series.iter().flat_map(|(_, numbers)| numbers).copied()
}

/// Returns the largest finite number, at which an axis can end: an axis without an end is drawn for
/// ever.
fn largest(numbers: impl Iterator<Item = f64>) -> f64 {
    let finite = numbers.filter(|number| number.is_finite());
    finite.fold(f64::MIN_POSITIVE, f64::max)
}

const WIDTH: u32 = 960;
const FONT: &str = "sans-serif";
