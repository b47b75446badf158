//! Copies of what JavaScript's memory held, in blocks that are used again: fresh memory costs a page fault for each page,
//! more than the copy itself.

use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

/// Bytes of a block; what is longer takes several.
pub(super) const BLOCK: usize = 64 * 1024;

/// Blocks that are kept for later, in all: 4 MiB.
const KEPT: usize = 64;

type Memory = Box<[u8; BLOCK]>;

static FREE: Mutex<Vec<Memory>> = Mutex::new(Vec::new());

fn free() -> MutexGuard<'static, Vec<Memory>> {
    FREE.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Block {
    memory: Option<Memory>,
    len: usize,
}

impl AsRef<[u8]> for Block {
    fn as_ref(&self) -> &[u8] {
        self.memory
            .as_ref()
            .map_or(&[], |memory| &memory[..self.len])
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        if let Some(memory) = self.memory.take() {
            let mut free = free();
            if free.len() < KEPT {
                free.push(memory);
            }
        }
    }
}

/// A copy of at most [`BLOCK`] bytes.
pub(super) fn copy(bytes: &[u8]) -> Bytes {
    let recycled = free().pop();
    let mut memory = recycled.unwrap_or_else(|| Box::new([0; BLOCK]));
    memory[..bytes.len()].copy_from_slice(bytes);
    Bytes::from_owner(Block {
        memory: Some(memory),
        len: bytes.len(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_that_is_used_again_holds_what_was_copied_last() {
        let first = copy(&[1; BLOCK]);
        let second = copy(b"abc");
        assert_eq!(&second[..], b"abc");
        drop(first);
        assert_eq!(&copy(b"defg")[..], b"defg");
        assert_eq!(&second[..], b"abc");
    }
}
