//! Features as CSV.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use super::Table;

/// Writes the file; returns its name.
pub(super) fn write(path: &Path, table: &Table) -> io::Result<String> {
    let mut file = BufWriter::new(File::create(path)?);
    writeln!(file, "{},{}", table.row_heads(), table.heads().join(","))?;
    for (index, row) in table.features.rows().enumerate() {
        write!(file, "{}", table.row_fields(index))?;
        row.iter().try_for_each(|value| write!(file, ",{value}"))?;
        writeln!(file)?;
    }
    file.flush()?;
    Ok(path.display().to_string())
}

/// Writes the columns before the features alone.
pub(super) fn write_rows(path: &Path, table: &Table) -> io::Result<()> {
    let mut file = BufWriter::new(File::create(path)?);
    writeln!(file, "{}", table.row_heads())?;
    (0..table.features.len()).try_for_each(|index| writeln!(file, "{}", table.row_fields(index)))?;
    file.flush()
}
