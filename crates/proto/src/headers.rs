//! The fields of a head, ordered and as written.
//!
//! There is no map here and no copy: a field list is a view of the bytes it came in, or of the
//! text a head that came in pieces was gathered into. `rawHeaders` is this list; joining and
//! lower-casing are Node's rules and live in `lib/incoming.js`.

use std::fmt;

use memchr::memchr;

/// Fields a view of the input can index. More of them are gathered into text instead.
pub(crate) const INLINE: usize = 40;

/// Where one field stands in the bytes of its head.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Span {
    pub(crate) name: u16,
    pub(crate) name_end: u16,
    pub(crate) value: u16,
    pub(crate) value_end: u16,
}

/// How `text` is to be read.
// Not boxed: a head that came whole must not cost an allocation.
#[allow(clippy::large_enum_variant, reason = "lives on the stack, once per head")]
#[derive(Clone, Copy)]
enum Layout {
    /// `name LF value LF` for each field: LF can stand in neither.
    Packed,
    /// Anything, with the fields at these places.
    Spans([Span; INLINE]),
}

/// The fields of a head or the trailers of a body, in order, names as written, values without
/// the white space around them (RFC 9112 §5.1).
#[derive(Clone, Copy)]
pub struct Fields<'a> {
    text: &'a [u8],
    len: u32,
    layout: Layout,
}

impl<'a> Fields<'a> {
    /// No fields.
    pub const EMPTY: Fields<'static> = Fields {
        text: &[],
        len: 0,
        layout: Layout::Packed,
    };

    pub(crate) fn packed(text: &'a [u8], len: u32) -> Self {
        Self {
            text,
            len,
            layout: Layout::Packed,
        }
    }

    pub(crate) fn spans(text: &'a [u8], len: u32, spans: [Span; INLINE]) -> Self {
        Self {
            text,
            len,
            layout: Layout::Spans(spans),
        }
    }

    /// Number of fields.
    #[must_use]
    pub fn len(&self) -> u32 {
        self.len
    }

    /// No fields at all?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The fields in order, as (name, value).
    #[must_use]
    pub fn iter(&self) -> Iter<'a, '_> {
        Iter {
            fields: self,
            next: 0,
            rest: self.text,
        }
    }

    /// The first value under this name; ASCII case does not matter.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&'a [u8]> {
        self.iter()
            .find(|(other, _)| other.eq_ignore_ascii_case(name.as_bytes()))
            .map(|(_, value)| value)
    }

    /// Bytes that [`pack_into`](Self::pack_into) appends.
    #[must_use]
    pub fn packed_len(&self) -> usize {
        match &self.layout {
            Layout::Packed => self.text.len().saturating_sub(1),
            Layout::Spans(spans) => {
                let sum: usize = spans[..self.len as usize]
                    .iter()
                    .map(|span| {
                        usize::from(span.name_end - span.name)
                            + usize::from(span.value_end - span.value)
                            + 2
                    })
                    .sum();
                sum.saturating_sub(1)
            }
        }
    }

    /// Appends `name LF value LF name LF value …`, without a last LF.
    pub fn pack_into(&self, out: &mut Vec<u8>) {
        match &self.layout {
            Layout::Packed => out.extend_from_slice(&self.text[..self.packed_len()]),
            Layout::Spans(spans) => {
                out.reserve(self.packed_len() + 1);
                for span in &spans[..self.len as usize] {
                    out.extend_from_slice(
                        &self.text[usize::from(span.name)..usize::from(span.name_end)],
                    );
                    out.push(b'\n');
                    out.extend_from_slice(
                        &self.text[usize::from(span.value)..usize::from(span.value_end)],
                    );
                    out.push(b'\n');
                }
                if self.len != 0 {
                    out.pop();
                }
            }
        }
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
#[derive(Debug)]
pub struct Iter<'a, 'f> {
    fields: &'f Fields<'a>,
    next: u32,
    rest: &'a [u8],
}

impl<'a> Iterator for Iter<'a, '_> {
    type Item = (&'a [u8], &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        if self.next == self.fields.len {
            return None;
        }
        let at = self.next as usize;
        self.next += 1;
        match &self.fields.layout {
            Layout::Packed => {
                let (name, rest) = line(self.rest);
                let (value, rest) = line(rest);
                self.rest = rest;
                Some((name, value))
            }
            Layout::Spans(spans) => {
                let text = self.fields.text;
                let span = spans[at];
                Some((
                    &text[usize::from(span.name)..usize::from(span.name_end)],
                    &text[usize::from(span.value)..usize::from(span.value_end)],
                ))
            }
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = (self.fields.len - self.next) as usize;
        (left, Some(left))
    }
}

impl ExactSizeIterator for Iter<'_, '_> {}

impl<'a, 'f> IntoIterator for &'f Fields<'a> {
    type Item = (&'a [u8], &'a [u8]);
    type IntoIter = Iter<'a, 'f>;

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
