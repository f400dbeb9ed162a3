//! Tables with goals, printed as they come and kept beside plots of them.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use super::cases::Measured;
use super::plot::{self, Bar};
use super::process::describe;

/// The results of one benchmark: text on standard output and under `tests/benches/results`, a plot
/// beside it for each table.
#[derive(Debug)]
pub struct Report {
    name: String,
    folder: PathBuf,
    text: String,
    failed: usize,
}

/// The unit of numbers, which decides how they are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Nanoseconds, written in the unit that fits.
    Time,
    /// Operations a second.
    Rate,
    /// Bytes.
    Bytes,
    /// Parts of one, written as a percentage.
    Share,
    /// A ratio: so many times as much.
    Times,
    /// A number of things.
    Count,
}

/// A condition that a number has to meet.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Bound {
    /// No more than this.
    AtMost(f64),
    /// No less than this.
    AtLeast(f64),
}

/// Cases beside each other: median, extremes, ratio to one of them, goals.
#[derive(Debug)]
pub struct Table {
    title: String,
    unit: Unit,
    measured: Measured,
    baseline: Option<String>,
    goals: Vec<Goal>,
}

/// The same cases measured at several points: one column a point, and a plot over them.
#[derive(Debug)]
pub struct Sweep {
    title: String,
    unit: Unit,
    points: Vec<(String, Measured)>,
    baseline: Option<String>,
    goals: Vec<(String, Goal)>,
}

#[derive(Debug)]
struct Goal {
    case: String,
    bound: Bound,
    /// The case to which the ratio is taken. Without such a case, the goal is for the number
    /// itself.
    baseline: Option<String>,
}

impl Report {
    /// Begins with a line about the machine.
    pub fn new(name: &str) -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/results");
        Self::in_folder(name, folder)
    }

    fn in_folder(name: &str, folder: PathBuf) -> Self {
        let mut report = Self {
            name: name.to_string(),
            folder,
            text: String::new(),
            failed: 0,
        };
        report.line(&format!("{name}: {}", describe()));
        report
    }

    /// Prints and keeps a line.
    pub fn line(&mut self, line: &str) {
        println!("{line}");
        self.text.push_str(line);
        self.text.push('\n');
    }

    /// Prints and plots a table.
    ///
    /// # Panics
    ///
    /// If the plot can't be written.
    pub fn table(&mut self, table: &Table) {
        self.line(&table.to_text());
        self.goals(&table.title, |text| table.judge(text));
        let bars: Vec<Bar> = table.bars().collect();
        let path = self.plot_path(&table.title);
        plot::bars(&path, &table.title, table.unit, &bars).expect("the plot can be written");
    }

    /// Prints and plots a sweep: lines of the ratios if it has a baseline, else bars of the
    /// numbers.
    ///
    /// # Panics
    ///
    /// If the plot can't be written.
    pub fn sweep(&mut self, sweep: &Sweep) {
        self.line(&sweep.to_text());
        self.goals(&sweep.title, |text| sweep.judge(text));
        let path = self.plot_path(&sweep.title);
        let labels = sweep.labels();
        let plotted = match &sweep.baseline {
            Some(baseline) => plot::lines(
                &path,
                &format!("{}: ratio to {baseline}", sweep.title),
                &labels,
                &sweep.series(|measured, case| measured.ratio(case, baseline)),
            ),
            None => plot::groups(
                &path,
                &sweep.title,
                sweep.unit,
                &labels,
                &sweep.series(Measured::median),
            ),
        };
        plotted.expect("the plot can be written");
    }

    /// Writes the text and says where it is.
    ///
    /// # Panics
    ///
    /// If the text can't be written.
    pub fn finish(mut self) {
        let verdict = match self.failed {
            0 => "all goals met".to_string(),
            1 => "1 goal not met".to_string(),
            failed => format!("{failed} goals not met"),
        };
        self.line(&verdict);
        let path = self.folder.join(format!("{}.txt", self.name));
        fs::create_dir_all(&self.folder).expect("the folder can be made");
        fs::write(&path, &self.text).expect("the text can be written");
        println!("kept in {}", path.display());
    }

    fn goals(&mut self, title: &str, judge: impl FnOnce(&mut String) -> usize) {
        let mut text = String::new();
        self.failed += judge(&mut text);
        if !text.is_empty() {
            self.line(&format!("Goals of {title}:\n{text}"));
        }
    }

    fn plot_path(&self, title: &str) -> PathBuf {
        fs::create_dir_all(&self.folder).expect("the folder can be made");
        let words = title.split(|letter: char| !letter.is_alphanumeric());
        let words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
        let file = format!("{}-{}.svg", self.name, words.join("-"));
        self.folder.join(file.to_lowercase())
    }
}

impl Table {
    /// Makes a table of what was measured.
    pub fn new(title: &str, unit: Unit, measured: Measured) -> Self {
        Self {
            title: title.to_string(),
            unit,
            measured,
            baseline: None,
            goals: Vec::new(),
        }
    }

    /// Adds a column of ratios to this case.
    #[must_use]
    pub fn ratios_to(mut self, baseline: &str) -> Self {
        self.baseline = Some(baseline.to_string());
        self
    }

    /// Adds a goal for the ratio of `case` to `baseline`.
    #[must_use]
    pub fn goal(mut self, case: &str, bound: Bound, baseline: &str) -> Self {
        self.goals.push(Goal::new(case, bound, Some(baseline)));
        self
    }

    /// Adds a goal for the median of `case` itself.
    #[must_use]
    pub fn limit(mut self, case: &str, bound: Bound) -> Self {
        self.goals.push(Goal::new(case, bound, None));
        self
    }

    fn to_text(&self) -> String {
        let mut rows = vec![vec![
            self.title.clone(),
            "median".to_string(),
            "min..max".to_string(),
        ]];
        if let Some(baseline) = &self.baseline {
            rows[0].push(format!("ratio to {baseline}"));
        }
        for case in self.measured.names() {
            let (smallest, largest) = self.measured.extremes(case);
            let mut row = vec![
                case.to_string(),
                self.unit.write(self.measured.median(case)),
                format!(
                    "{}..{}",
                    self.unit.write(smallest),
                    self.unit.write(largest)
                ),
            ];
            if let Some(baseline) = &self.baseline {
                row.push(format!("{:.2}", self.measured.ratio(case, baseline)));
            }
            rows.push(row);
        }
        align(&rows)
    }

    fn judge(&self, text: &mut String) -> usize {
        let goals = self.goals.iter();
        goals
            .filter(|goal| !goal.judge("", self.unit, &self.measured, text))
            .count()
    }

    fn bars(&self) -> impl Iterator<Item = Bar> {
        self.measured.names().map(|case| Bar {
            name: case.to_string(),
            value: self.measured.median(case),
            extremes: self.measured.extremes(case),
        })
    }
}

impl Sweep {
    /// Makes a sweep without points.
    pub fn new(title: &str, unit: Unit) -> Self {
        Self {
            title: title.to_string(),
            unit,
            points: Vec::new(),
            baseline: None,
            goals: Vec::new(),
        }
    }

    /// Writes ratios to this case beside the numbers, and plots them.
    #[must_use]
    pub fn ratios_to(mut self, baseline: &str) -> Self {
        self.baseline = Some(baseline.to_string());
        self
    }

    /// Adds a point; every point has the same cases.
    pub fn point(&mut self, label: impl ToString, measured: Measured) {
        self.points.push((label.to_string(), measured));
    }

    /// Adds a goal for the ratio of `case` to `baseline` at the point of this label.
    pub fn goal(&mut self, label: impl ToString, case: &str, bound: Bound, baseline: &str) {
        let goal = Goal::new(case, bound, Some(baseline));
        self.goals.push((label.to_string(), goal));
    }

    fn labels(&self) -> Vec<String> {
        self.points.iter().map(|(label, _)| label.clone()).collect()
    }

    /// Returns, for each case, one number for each point.
    fn series(&self, number: impl Fn(&Measured, &str) -> f64) -> Vec<(String, Vec<f64>)> {
        let names = self
            .points
            .first()
            .into_iter()
            .flat_map(|(_, measured)| measured.names());
        names
            .map(|case| {
                let points = self.points.iter();
                let numbers = points.map(|(_, measured)| number(measured, case));
                (case.to_string(), numbers.collect())
            })
            .collect()
    }

    fn to_text(&self) -> String {
        let mut rows = vec![vec![self.title.clone()]];
        rows[0].extend(self.labels());
        let medians = self.series(Measured::median);
        for (case, numbers) in medians {
            let mut row = vec![case.clone()];
            for (number, (_, measured)) in numbers.into_iter().zip(&self.points) {
                let number = self.unit.write(number);
                row.push(match &self.baseline {
                    Some(baseline) => format!("{number} ({:.2})", measured.ratio(&case, baseline)),
                    None => number,
                });
            }
            rows.push(row);
        }
        align(&rows)
    }

    fn judge(&self, text: &mut String) -> usize {
        let missed = self.goals.iter().filter(|(label, goal)| {
            let point = self.points.iter().find(|(point, _)| point == label);
            let (_, measured) = point.unwrap_or_else(|| panic!("there is no point `{label}`"));
            !goal.judge(&format!("at {label}, "), self.unit, measured, text)
        });
        missed.count()
    }
}

impl Goal {
    fn new(case: &str, bound: Bound, baseline: Option<&str>) -> Self {
        Self {
            case: case.to_string(),
            bound,
            baseline: baseline.map(str::to_string),
        }
    }

    /// Writes whether the goal is met, and returns the same.
    fn judge(&self, place: &str, unit: Unit, measured: &Measured, text: &mut String) -> bool {
        let case = &self.case;
        let (number, line) = match &self.baseline {
            Some(baseline) => {
                let ratio = measured.ratio(case, baseline);
                let (low, high) = measured.quartile_ratios(case, baseline);
                let bound = self.bound.write(|number| format!("{number:.2}x"));
                let line = format!(
                    "{case} {bound} {baseline}: {ratio:.2}x (quartiles {low:.2}..{high:.2})"
                );
                (ratio, line)
            }
            None => {
                let median = measured.median(case);
                let bound = self.bound.write(|number| unit.write(number));
                (median, format!("{case} {bound}: {}", unit.write(median)))
            }
        };
        let met = self.bound.holds(number);
        let verdict = if met { "met" } else { "NOT MET" };
        writeln!(text, "  {verdict:<7}  {place}{line}").expect("text can be written to a string");
        met
    }
}

impl Bound {
    fn holds(self, number: f64) -> bool {
        match self {
            Self::AtMost(bound) => number <= bound,
            Self::AtLeast(bound) => number >= bound,
        }
    }

    fn write(self, number: impl Fn(f64) -> String) -> String {
        match self {
            Self::AtMost(bound) => format!("<= {}", number(bound)),
            Self::AtLeast(bound) => format!(">= {}", number(bound)),
        }
    }
}

impl Unit {
    /// Writes a number with its unit, in three digits or so.
    pub(super) fn write(self, number: f64) -> String {
        match self {
            Self::Time => scaled(
                number,
                &[(1e9, " s"), (1e6, " ms"), (1e3, " us"), (1.0, " ns")],
            ),
            Self::Rate => scaled(number, &[(1e6, " M/s"), (1e3, " k/s"), (1.0, " /s")]),
            Self::Bytes => scaled(number, &[(1e9, " GB"), (1e6, " MB"), (1.0, " B")]),
            Self::Share => format!("{:.2} %", number * 100.0),
            Self::Times => format!("{number:.2}x"),
            Self::Count => format!("{number:.0}"),
        }
    }
}

/// Writes a number in the first unit that it reaches, or the last.
fn scaled(number: f64, units: &[(f64, &str)]) -> String {
    let reached = units.iter().find(|(size, _)| number.abs() >= *size);
    let (size, unit) = reached.or(units.last()).expect("there are units");
    let number = number / size;
    let digits = if number.abs() < 10.0 {
        2
    } else if number.abs() < 100.0 {
        1
    } else {
        0
    };
    format!("{number:.digits$}{unit}")
}

/// Writes rows as columns of equal width, the first one to the left and the others to the right.
fn align(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let cells = |column: usize| rows.iter().filter_map(move |row| row.get(column));
    let widths: Vec<usize> = (0..columns)
        .map(|column| {
            cells(column)
                .map(|cell| cell.chars().count())
                .max()
                .unwrap_or(0)
        })
        .collect();
    let mut text = String::new();
    for row in rows {
        let cells = row.iter().zip(&widths).enumerate();
        let cells = cells.map(|(column, (cell, width))| match column {
            0 => format!("{cell:<width$}"),
            _ => format!("{cell:>width$}"),
        });
        text.push('\n');
        text.push_str(&cells.collect::<Vec<_>>().join("   "));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured() -> Measured {
        let mut measured = Measured::default();
        measured.add("ours", vec![100.0, 110.0, 130.0]);
        measured.add("theirs", vec![50.0, 55.0, 65.0]);
        measured
    }

    #[test]
    fn numbers_have_their_unit() {
        assert_eq!(Unit::Time.write(12.34), "12.3 ns");
        assert_eq!(Unit::Time.write(17_247_000.0), "17.2 ms");
        assert_eq!(Unit::Rate.write(388_400.0), "388 k/s");
        assert_eq!(Unit::Bytes.write(178.0), "178 B");
        assert_eq!(Unit::Share.write(0.0123), "1.23 %");
        assert_eq!(Unit::Times.write(1.777), "1.78x");
        assert_eq!(Unit::Count.write(1234.5), "1234");
    }

    #[test]
    fn a_table_has_medians_and_ratios() {
        let table = Table::new("get", Unit::Time, measured()).ratios_to("theirs");
        assert_eq!(
            table.to_text(),
            "\nget       median           min..max   ratio to theirs\
             \nours      110 ns     100 ns..130 ns              2.00\
             \ntheirs   55.0 ns   50.0 ns..65.0 ns              1.00"
        );
    }

    #[test]
    fn goals_are_judged_by_ratio_or_by_number() {
        let table = Table::new("get", Unit::Time, measured())
            .goal("ours", Bound::AtMost(2.0), "theirs")
            .goal("ours", Bound::AtMost(1.9), "theirs")
            .goal("ours", Bound::AtLeast(2.1), "theirs")
            .limit("ours", Bound::AtMost(110.0));
        let mut text = String::new();
        assert_eq!(table.judge(&mut text), 2);
        let verdicts: Vec<&str> = text.lines().map(|line| line[2..9].trim_end()).collect();
        assert_eq!(verdicts, ["met", "NOT MET", "NOT MET", "met"]);
        assert!(
            text.starts_with("  met      ours <= 2.00x theirs: 2.00x (quartiles 2.00..2.00)\n")
        );
    }

    #[test]
    fn a_sweep_has_a_column_a_point() {
        let mut sweep = Sweep::new("tasks", Unit::Rate).ratios_to("theirs");
        sweep.point(1, measured());
        sweep.point(16, measured());
        sweep.goal(16, "ours", Bound::AtLeast(3.0), "theirs");
        assert_eq!(
            sweep.to_text(),
            "\ntasks                 1               16\
             \nours      110 /s (2.00)    110 /s (2.00)\
             \ntheirs   55.0 /s (1.00)   55.0 /s (1.00)"
        );
        let mut text = String::new();
        assert_eq!(sweep.judge(&mut text), 1);
        assert!(text.starts_with("  NOT MET  at 16, ours >= 3.00x theirs: 2.00x"));
    }

    #[test]
    fn a_number_without_an_end_is_plotted_too() {
        let folder = tempfile::tempdir().unwrap();
        let mut report = Report::in_folder("probe", folder.path().to_path_buf());
        let mut measured = Measured::default();
        measured.add("ours", vec![f64::INFINITY]);
        report.table(&Table::new("endless", Unit::Times, measured));
        assert!(folder.path().join("probe-endless.svg").exists());
    }

    #[test]
    fn plots_and_text_are_written() {
        let folder = tempfile::tempdir().unwrap();
        let mut report = Report::in_folder("probe", folder.path().to_path_buf());
        report.table(&Table::new("M1: get, warm", Unit::Time, measured()));
        let mut sweep = Sweep::new("bars", Unit::Rate);
        sweep.point(1, measured());
        report.sweep(&sweep);
        sweep.point(16, measured());
        sweep.title = "lines".to_string();
        report.sweep(&sweep.ratios_to("theirs"));
        report.finish();
        for name in [
            "probe-m1-get-warm.svg",
            "probe-bars.svg",
            "probe-lines.svg",
            "probe.txt",
        ] {
            let text = fs::read_to_string(folder.path().join(name)).unwrap();
            assert!(text.contains("ours"), "{name}: {text}");
        }
    }
}
