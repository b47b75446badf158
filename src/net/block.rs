//! Copies of what JavaScript's memory held, in blocks that are used again: fresh memory costs a page fault for each page,
//! more than the copy itself. There are so many, and no more: copies that a rush of answers has the allocator find room for stay with
//! the process when they are freed.

use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use bytes::{Bytes, BytesMut};

/// Bytes of a block; what is longer takes several.
const BLOCK: usize = 64 * 1024;

/// Blocks, in all: 16 MiB.
const BLOCKS: usize = 256;

/// Those that are not in use: parts of one allocation, whose pages are fresh until they are first used. The last is used again first.
static FREE: LazyLock<Mutex<Vec<BytesMut>>> = LazyLock::new(|| {
    let mut all = BytesMut::zeroed(BLOCKS * BLOCK);
    Mutex::new((0..BLOCKS).map(|_| all.split_to(BLOCK)).collect())
});

fn free() -> MutexGuard<'static, Vec<BytesMut>> {
    FREE.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Block {
    memory: BytesMut,
    len: usize,
}

impl AsRef<[u8]> for Block {
    fn as_ref(&self) -> &[u8] {
        &self.memory[..self.len]
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        free().push(std::mem::take(&mut self.memory));
    }
}

/// A copy, in blocks; `None` if there are too few.
pub(super) fn copy(bytes: &[u8]) -> Option<Vec<Bytes>> {
    let count = bytes.len().div_ceil(BLOCK);
    let blocks = {
        let mut free = free();
        let left = free.len().checked_sub(count)?;
        free.split_off(left)
    };
    let parts = bytes.chunks(BLOCK).zip(blocks);
    let copies = parts.map(|(part, mut memory)| {
        memory[..part.len()].copy_from_slice(part);
        Bytes::from_owner(Block {
            memory,
            len: part.len(),
        })
    });
    Some(copies.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One at a time: the blocks are the process's.
    static ALONE: Mutex<()> = Mutex::new(());

    #[test]
    fn a_block_that_is_used_again_holds_what_was_copied_last() {
        let _alone = ALONE.lock();
        let first = copy(&[1; BLOCK]).unwrap();
        let second = copy(b"abc").unwrap();
        assert_eq!(second.concat(), b"abc");
        drop(first);
        assert_eq!(copy(b"defg").unwrap().concat(), b"defg");
        assert_eq!(second.concat(), b"abc");
    }

    #[test]
    fn what_is_longer_than_a_block_takes_several() {
        let _alone = ALONE.lock();
        let bytes: Vec<u8> = (0..2 * BLOCK + 3).map(|i| i as u8).collect();
        let copies = copy(&bytes).unwrap();
        assert_eq!(copies.len(), 3);
        assert_eq!(copies.concat(), bytes);
    }

    #[test]
    fn without_a_free_block_there_is_no_copy() {
        let _alone = ALONE.lock();
        let mut copies = Vec::new();
        while let Some(copy) = copy(&[1; 2 * BLOCK]) {
            copies.push(copy);
        }
        assert!(copies.len() <= BLOCKS / 2);
        copies.pop();
        assert!(copy(&[1; BLOCK]).is_some());
    }
}
