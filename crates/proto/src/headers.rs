//! The fields of a head, ordered and as written.
//!
//! There is no map here: a field list is one text, `name LF value LF name LF value LF …`, since LF
//! can stand in neither. That is what `rawHeaders` is made of, and what crosses to JavaScript;
//! joining and lower-casing are Node's rules and live in `lib/message/incoming.js`.

use std::fmt;

use memchr::memchr;

/// The fields of a head or the trailers of a body, in order, names as written, values without
/// the white space around them (RFC 9112 §5.1).
#[derive(Clone, Copy)]
pub struct Fields<'a> {
    text: &'a [u8],
    len: u32,
    counted: u32,
}

impl<'a> Fields<'a> {
    /// No fields.
    pub const EMPTY: Fields<'static> = Fields {
        text: &[],
        len: 0,
        counted: 0,
    };

    /// `text` is `len` times `name LF value LF`.
    pub(crate) fn new(text: &'a [u8], len: u32) -> Self {
        Self {
            text,
            len,
            counted: len,
        }
    }

    /// The same, of which so many count.
    pub(crate) fn counting(self, limit: u32) -> Self {
        Self {
            counted: self.len.min(limit),
            ..self
        }
    }

    /// How many of the fields, from the first, count: those within
    /// [`Config::max_headers`](crate::Config::max_headers). The others are there to be shown only.
    #[must_use]
    pub fn counted(&self) -> u32 {
        self.counted
    }

    /// Number of fields.
    #[must_use]
    pub fn len(&self) -> u32 {
        self.len
    }

    /// True if there are no fields.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The fields in order, as (name, value).
    #[must_use]
    pub fn iter(&self) -> Iter<'a> {
        Iter {
            rest: self.text,
            left: self.len,
        }
    }

    /// The first value under this name; ASCII case does not matter.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&'a [u8]> {
        self.iter()
            .find(|(other, _)| other.eq_ignore_ascii_case(name.as_bytes()))
            .map(|(_, value)| value)
    }

    /// `name LF value LF name LF value …`, without a last LF.
    #[must_use]
    pub fn packed(&self) -> &'a [u8] {
        &self.text[..self.packed_len()]
    }

    /// Bytes that [`pack_into`](Self::pack_into) appends.
    #[must_use]
    pub fn packed_len(&self) -> usize {
        self.text.len().saturating_sub(1)
    }

    /// Appends [`packed`](Self::packed).
    pub fn pack_into(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.packed());
    }
}

impl fmt::Debug for Fields<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map()
            .entries(self.iter().map(|(name, value)| {
                (
                    String::from_utf8_lossy(name).into_owned(),
                    String::from_utf8_lossy(value).into_owned(),
                )
            }))
            .finish()
    }
}

/// Iterator over [`Fields`].
#[derive(Clone, Debug)]
pub struct Iter<'a> {
    rest: &'a [u8],
    left: u32,
}

impl<'a> Iterator for Iter<'a> {
    type Item = (&'a [u8], &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let (name, rest) = line(self.rest);
        let (value, rest) = line(rest);
        self.rest = rest;
        Some((name, value))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left as usize, Some(self.left as usize))
    }
}

impl ExactSizeIterator for Iter<'_> {}

impl<'a> IntoIterator for &Fields<'a> {
    type Item = (&'a [u8], &'a [u8]);
    type IntoIter = Iter<'a>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// `text` up to its first LF, and what follows that.
fn line(text: &[u8]) -> (&[u8], &[u8]) {
    match memchr(b'\n', text) {
        Some(at) => (&text[..at], &text[at + 1..]),
        None => (text, &[]),
    }
}
