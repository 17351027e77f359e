//! Text in columns.

/// A table under construction.
#[derive(Debug)]
pub(crate) struct Table {
    rows: Vec<Vec<String>>,
    /// Columns from this one on are numbers, aligned right.
    numbers_from: usize,
}

impl Table {
    /// A table with column heads.
    pub(crate) fn new<'a>(heads: impl IntoIterator<Item = &'a str>, numbers_from: usize) -> Self {
        Self { rows: vec![heads.into_iter().map(str::to_string).collect()], numbers_from }
    }

    /// A table without heads.
    pub(crate) fn bare() -> Self {
        Self { rows: Vec::new(), numbers_from: usize::MAX }
    }

    /// Adds a row.
    pub(crate) fn row(&mut self, cells: impl Into<Vec<String>>) {
        self.rows.push(cells.into());
    }
}

impl std::fmt::Display for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let cells = |column| self.rows.iter().filter_map(move |row| row.get(column));
        let widths: Vec<usize> =
            (0..columns).map(|column| cells(column).map(|cell| cell.chars().count()).max().unwrap_or(0)).collect();
        for (number, row) in self.rows.iter().enumerate() {
            let mut line = String::new();
            for (column, (cell, &width)) in row.iter().zip(&widths).enumerate() {
                let padding = " ".repeat(width - cell.chars().count());
                let (before, after) = if column < self.numbers_from { ("", &*padding) } else { (&*padding, "") };
                let gap = if column == 0 { "" } else { "  " };
                line.push_str(&format!("{gap}{before}{cell}{after}"));
            }
            let end = if number + 1 == self.rows.len() { "" } else { "\n" };
            write!(f, "{}{end}", line.trim_end())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_aligned_left_and_numbers_right() {
        let mut table = Table::new(["layer", "kNN"], 1);
        table.row(["b".into(), "9.5".into()]);
        table.row(["block1é".into(), "88.25".into()]);
        assert_eq!(table.to_string(), "layer      kNN\nb          9.5\nblock1é  88.25");
    }
}
