//! What a seed decides.

/// Numbers that follow from the seed.
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn next(&mut self) -> u64 {
        // splitmix64
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(super) fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    /// True once in so many times.
    pub(super) fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    /// How often a program is to do something.
    pub(super) fn often(&mut self) -> Often {
        self.of(&[Often::Seldom, Often::Evenly, Often::Mostly])
    }

    /// True if it does it this time.
    pub(super) fn is_so(&mut self, often: Often) -> bool {
        match often {
            Often::Seldom => self.once_in(8),
            Often::Evenly => self.once_in(2),
            Often::Mostly => !self.once_in(8),
        }
    }

    pub(super) fn of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }
}

/// How often one program does something where it can: what is rare in all of them together is frequent in some.
#[derive(Clone, Copy)]
pub(super) enum Often {
    Seldom,
    Evenly,
    Mostly,
}
