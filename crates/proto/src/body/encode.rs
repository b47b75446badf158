//! The chunked coding, as it goes out (RFC 9112 §7.1), and the check of what is rendered
//! elsewhere.

use memchr::{memchr_iter, memrchr};

use crate::error::SendError;

/// Appends the size line of a chunk: lower-case hexadecimal, no padding, as Node writes it.
pub(crate) fn chunk_size(len: usize, out: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut line = [0; 18];
    let mut at = line.len() - 2;
    line[at] = b'\r';
    line[at + 1] = b'\n';
    let mut rest = len;
    loop {
        at -= 1;
        line[at] = DIGITS[rest & 15];
        rest >>= 4;
        if rest == 0 {
            break;
        }
    }
    out.extend_from_slice(&line[at..]);
}

/// How often a byte stands in some bytes. As written it becomes vector instructions, without the calls that memchr needs to
/// begin with: heads are short.
fn count_of(byte: u8, bytes: &[u8]) -> usize {
    // So many as one byte can count.
    let parts = bytes.chunks(usize::from(u8::MAX));
    let counts = parts.map(|part| part.iter().map(|&one| u8::from(one == byte)).sum::<u8>());
    counts.map(usize::from).sum()
}

/// Refuses a block of lines that has other line ends than its renderer put there.
///
/// JavaScript renders heads and has checked every value already. This is the last line of
/// defence against response splitting: each line ends with CRLF, there are `lines` of them, no CR
/// or LF stands elsewhere, and an empty line comes at the end of a head and nowhere else.
pub(crate) fn verify(block: &[u8], lines: u32, is_head: bool) -> Result<(), SendError> {
    // Most messages have no trailers.
    if block.is_empty() && lines == 0 && !is_head {
        return Ok(());
    }
    let mut count = 0;
    // Where the current line begins.
    let mut line = 0;
    for lf in memchr_iter(b'\n', block) {
        let is_last = lf + 1 == block.len();
        let ends_with_cr = lf > line && block[lf - 1] == b'\r';
        let is_empty = lf == line + 1;
        if !ends_with_cr || is_empty != (is_head && is_last) {
            return Err(SendError::BadBlock);
        }
        line = lf + 1;
        count += 1;
    }
    // As many CRs as LFs, each LF behind a CR: no CR stands alone. The last line has ended.
    let carriage_returns = count_of(b'\r', block);
    let is_ended = line == block.len() && (!is_head || count > 1);
    if count != lines || carriage_returns != count as usize || !is_ended {
        return Err(SendError::BadBlock);
    }
    debug_assert!(block.is_empty() || memrchr(b'\n', block) == Some(block.len() - 1));
    Ok(())
}
