//! Tables of cases.

/// A case of a table.
pub(crate) struct Row<'t> {
    pub(crate) name: &'t str,
    pub(crate) case: &'t str,
    pub(crate) want: &'t str,
}

/// Three lines per case: name, case, what is wanted. Lines that begin with `#` are comments.
pub(crate) fn rows(table: &str) -> impl Iterator<Item = Row<'_>> {
    table.split("\n\n").filter_map(|block| {
        let mut lines = block.lines().filter(|line| !line.starts_with('#'));
        Some(Row {
            name: lines.next()?,
            case: lines.next()?.trim_start(),
            want: lines.next().unwrap_or("").trim(),
        })
    })
}
