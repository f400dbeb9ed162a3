//! Text in columns.

/// Puts rows of cells into columns under their heads, a line a row. The last line has no end.
pub(crate) fn table<R: AsRef<[String]>>(
    heads: &[&str],
    rows: impl IntoIterator<Item = R>,
) -> String {
    let rows: Vec<R> = rows.into_iter().collect();
    let heads: Vec<String> = heads.iter().map(|head| head.to_string()).collect();
    let all = || std::iter::once(&*heads).chain(rows.iter().map(R::as_ref));
    let width = |column: usize| all().map(|row| row[column].chars().count()).max();
    let widths: Vec<usize> = (0..heads.len()).filter_map(width).collect();
    let lines = all().map(|row| {
        let cells = row.iter().zip(&widths);
        let cells = cells.map(|(cell, &width)| format!("{cell:width$}"));
        let line = cells.collect::<Vec<_>>().join("  ");
        line.trim_end().to_string()
    });
    lines.collect::<Vec<_>>().join("\n")
}
