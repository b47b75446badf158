//! Character classes, and words inside field values.

/// Bytes of a token, of names and methods (RFC 9110 §5.6.2).
const TOKEN: u8 = 1;
/// Bytes of a field value: visible, obs-text, SP and HTAB (RFC 9110 §5.5).
const VALUE: u8 = 2;
/// Bytes of a request target behind its authority: `!` to `~`.
const TARGET: u8 = 4;
/// Bytes of an authority, `/` and `?` apart.
// Node: `^` and the delimiters `"<>\`{|}` are refused here and accepted in a path.
const AUTHORITY: u8 = 8;

/// Bytes of a URI behind its authority (RFC 3986 §2), and `[` and `]`, which browsers do not escape in queries; not `#`.
const URI: u8 = 16;
/// Bytes of a host's name (RFC 3986 §3.2.2) but the comma, which is what joins two fields.
const HOST_NAME: u8 = 32;

/// The classes of every byte.
const CLASSES: [u8; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let b = byte as u8;
        let mut classes = 0;
        if b.is_ascii_alphanumeric()
            || matches!(
                b,
                b'!' | b'#'
                    | b'$'
                    | b'%'
                    | b'&'
                    | b'\''
                    | b'*'
                    | b'+'
                    | b'-'
                    | b'.'
                    | b'^'
                    | b'_'
                    | b'`'
                    | b'|'
                    | b'~'
            )
        {
            classes |= TOKEN;
        }
        if b == b'\t' || (b >= b' ' && b != 0x7f) {
            classes |= VALUE;
        }
        if b.is_ascii_alphanumeric()
            || matches!(
                b,
                b'-' | b'.'
                    | b'_'
                    | b'~'
                    | b'%'
                    | b'!'
                    | b'$'
                    | b'&'
                    | b'\''
                    | b'('
                    | b')'
                    | b'*'
                    | b'+'
                    | b';'
                    | b'='
            )
        {
            classes |= HOST_NAME | URI;
        }
        if matches!(b, b',' | b'/' | b':' | b'?' | b'@' | b'[' | b']') {
            classes |= URI;
        }
        if b.is_ascii_graphic() {
            classes |= TARGET;
            if !matches!(
                b,
                b'"' | b'#' | b'<' | b'>' | b'\\' | b'^' | b'`' | b'{' | b'|' | b'}' | b'/' | b'?'
            ) {
                classes |= AUTHORITY;
            }
        }
        table[byte] = classes;
        byte += 1;
    }
    table
};

/// True if this byte may stand in a token (RFC 9110 §5.6.2).
#[inline]
pub(crate) fn is_token(byte: u8) -> bool {
    CLASSES[usize::from(byte)] & TOKEN != 0
}

/// True if this byte may stand in a field value (RFC 9110 §5.5).
#[inline]
pub(crate) fn is_value(byte: u8) -> bool {
    CLASSES[usize::from(byte)] & VALUE != 0
}

/// True if this byte may stand in the path of a request target.
#[inline]
pub(crate) fn is_target(byte: u8) -> bool {
    CLASSES[usize::from(byte)] & TARGET != 0
}

/// True if this byte may stand in an authority.
#[inline]
pub(crate) fn is_authority(byte: u8) -> bool {
    CLASSES[usize::from(byte)] & AUTHORITY != 0
}

/// True if this byte may stand in a request target, which core's parser accepts more in (RFC 9112 §3.2).
#[inline]
pub(crate) fn is_uri(byte: u8) -> bool {
    CLASSES[usize::from(byte)] & URI != 0
}

/// True if this byte may stand in the name of a host, or be a dot of its address.
#[inline]
pub(crate) fn is_host_name(byte: u8) -> bool {
    CLASSES[usize::from(byte)] & HOST_NAME != 0
}

/// True for white space inside a line (RFC 9110 §5.6.3).
#[inline]
pub(crate) fn is_space(byte: u8) -> bool {
    byte == b' ' || byte == b'\t'
}

/// `value` without the white space at its end.
pub(crate) fn trim_end(value: &[u8]) -> &[u8] {
    let mut end = value.len();
    while end > 0 && is_space(value[end - 1]) {
        end -= 1;
    }
    &value[..end]
}

/// Looks for a word among the comma separated elements of a value, byte by byte.
///
/// An element counts only if it is the word and nothing else: `x close` is not `close`.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Matcher {
    phase: Phase,
    /// Index into the list of words.
    word: u8,
    /// Bytes of it seen.
    seen: u8,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Phase {
    /// Before an element.
    #[default]
    Before,
    /// Inside something that may become a word.
    Inside,
    /// Behind a word: white space, then a comma or the end.
    Behind,
    /// Inside an element that is no word.
    Other,
}

/// Words of the Connection field (RFC 9110 §7.6.1).
pub(crate) const CONNECTION: &[&[u8]] = &[b"close", b"keep-alive", b"upgrade"];
/// The one transfer coding that matters here (RFC 9112 §7).
pub(crate) const CHUNKED: &[&[u8]] = &[b"chunked"];

impl Matcher {
    /// Consumes one byte. `tab` tells whether HTAB may follow a word. When the byte is a comma that
    /// ends an element that was a word, gives the word.
    #[inline]
    pub(crate) fn push(&mut self, words: &[&[u8]], tab: bool, byte: u8) -> Option<u8> {
        if byte == b',' {
            let word = self.end();
            self.phase = Phase::Before;
            return word;
        }
        match self.phase {
            Phase::Before if is_space(byte) => {}
            Phase::Before => {
                let lower = byte.to_ascii_lowercase();
                match words.iter().position(|word| word[0] == lower) {
                    Some(word) => {
                        self.word = word as u8;
                        self.seen = 1;
                        self.phase = Phase::Inside;
                    }
                    None => self.phase = Phase::Other,
                }
            }
            Phase::Inside => {
                let word = words[usize::from(self.word)];
                if byte.to_ascii_lowercase() == word[usize::from(self.seen)] {
                    self.seen += 1;
                    if usize::from(self.seen) == word.len() {
                        self.phase = Phase::Behind;
                    }
                } else {
                    self.phase = Phase::Other;
                }
            }
            Phase::Behind if byte == b' ' || (tab && byte == b'\t') => {}
            Phase::Behind => self.phase = Phase::Other,
            Phase::Other => {}
        }
        None
    }

    /// The word, if the value, or the element that ends here, was one.
    pub(crate) fn end(&self) -> Option<u8> {
        (self.phase == Phase::Behind).then_some(self.word)
    }
}
