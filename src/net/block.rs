//! Copies of what is in JavaScript's memory, in blocks that are used again: fresh memory costs a page fault for each page,
//! more than the copy itself. There are so many, and no more: copies that a rush of answers has the allocator find room for stay with
//! the process when they are freed.

use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use bytes::{Bytes, BytesMut};

use super::limits::TAKEN_MAX;

/// Bytes of a block; what is longer needs several.
const BLOCK: usize = 64 * 1024;

/// Blocks, in all: 16 MiB.
const BLOCKS: usize = 256;

/// Blocks of one copy, at most: what is longer does not count as taken.
const MOST: usize = TAKEN_MAX.div_ceil(BLOCK);

/// Those that are not in use: slices of one allocation, whose pages are fresh until they are first used. The last is used again first.
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

/// Pushes a copy, block by block. False, with nothing pushed, if there are too few, or more bytes than count as taken at a time.
pub(super) fn copy(bytes: &[u8], mut push: impl FnMut(Bytes)) -> bool {
    let count = bytes.len().div_ceil(BLOCK);
    let mut blocks: [BytesMut; MOST] = Default::default();
    if count > MOST {
        return false;
    }
    {
        let mut free = free();
        let Some(left) = free.len().checked_sub(count) else {
            return false;
        };
        for (block, memory) in blocks.iter_mut().zip(free.drain(left..)) {
            *block = memory;
        }
    }
    for (part, mut memory) in bytes.chunks(BLOCK).zip(blocks) {
        memory[..part.len()].copy_from_slice(part);
        push(Bytes::from_owner(Block {
            memory,
            len: part.len(),
        }));
    }
    true
}

#[cfg(test)]
mod tests {
    use super::{BLOCK, BLOCKS, Bytes, MOST, Mutex};

    /// One at a time: the blocks are the process's.
    static ALONE: Mutex<()> = Mutex::new(());

    fn copy(bytes: &[u8]) -> Option<Vec<Bytes>> {
        let mut copies = Vec::new();
        let is_copied = super::copy(bytes, |copy| copies.push(copy));
        assert!(is_copied || copies.is_empty());
        is_copied.then_some(copies)
    }

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

    #[test]
    fn there_is_no_copy_of_what_would_not_count_as_taken() {
        let _alone = ALONE.lock();
        assert!(copy(&[1; MOST * BLOCK]).is_some());
        assert!(copy(&[1; MOST * BLOCK + 1]).is_none());
    }
}
