//! Features as CSV.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use super::Table;
use crate::format;

/// Writes the file; returns its name.
pub(super) fn write(path: &Path, table: &Table) -> io::Result<String> {
    let mut file = BufWriter::new(File::create(path)?);
    writeln!(file, "index,label,class,{}", table.heads().join(","))?;
    for (index, row) in table.features.rows().enumerate() {
        let label = table.labels.map(|labels| labels[index]);
        let class = label.map_or(String::new(), |label| format::csv_field(table.class(label)));
        write!(file, "{index},{},{class}", label.map_or(String::new(), |label| label.to_string()))?;
        row.iter().try_for_each(|value| write!(file, ",{value}"))?;
        writeln!(file)?;
    }
    file.flush()?;
    Ok(path.display().to_string())
}
