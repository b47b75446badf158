//! Numbers that JavaScript has to know. Each is declared once, where it is used, and exported with its name in a table.

/// A table: names as JavaScript has them, and their numbers.
#[cfg_attr(test, allow(dead_code, reason = "what only the binding calls"))]
pub(crate) type Table = &'static [(&'static str, i32)];

/// Declares numbers, and the table of all of them.
macro_rules! numbers {
    ($(#[$about:meta])* $table:ident { $($(#[$doc:meta])* $name:ident = $value:expr,)* }) => {
        $($(#[$doc])* pub(crate) const $name: i32 = $value;)*

        $(#[$about])*
        #[cfg_attr(test, allow(dead_code, reason = "what only the binding calls"))]
        pub(crate) const $table: $crate::numbers::Table = &[$((stringify!($name), $name),)*];
    };
}
pub(crate) use numbers;
