//! Where a duration is counted: log-linear buckets of fixed number. Each power of ten of microseconds from 100 µs on has 90
//! buckets, so that a bucket is at most a tenth as wide as its bounds are high, and every bound of two digits is one of a
//! bucket: 0.005 s, 0.25 s, 7.5 s.

use std::time::Duration;

/// Buckets of 1 µs each, from 0 on.
pub(crate) const LINEAR: usize = 100;

/// Buckets of each power of ten above.
pub(crate) const DECADE: usize = 90;

/// Powers of ten above: up to 100 s.
const DECADES: usize = 6;

/// Buckets in all; the last counts what took longer.
pub(crate) const BUCKETS: usize = LINEAR + DECADE * DECADES + 1;

/// Nanoseconds of a duration, as far as 64 bits go.
pub(super) fn nanos(duration: Duration) -> u64 {
    let seconds = duration.as_secs().saturating_mul(1_000_000_000);
    seconds.saturating_add(u64::from(duration.subsec_nanos()))
}

/// The bucket of a duration in nanoseconds. Bucket 0 is up to 1 µs; the upper bound of each belongs to it.
pub(super) fn bucket(nanos: u64) -> usize {
    let micros = nanos.saturating_sub(1) / 1000;
    let (decade, tenth) = match micros {
        0..100 => return micros as usize,
        100..1_000 => (0, micros / 10),
        1_000..10_000 => (1, micros / 100),
        10_000..100_000 => (2, micros / 1_000),
        100_000..1_000_000 => (3, micros / 10_000),
        1_000_000..10_000_000 => (4, micros / 100_000),
        10_000_000..100_000_000 => (5, micros / 1_000_000),
        _ => return BUCKETS - 1,
    };
    LINEAR + decade * DECADE + tenth as usize - 10
}

#[cfg(test)]
mod tests {
    use super::{bucket as bucket_of, *};

    fn bucket(duration: Duration) -> usize {
        bucket_of(nanos(duration))
    }

    /// The upper bound of a bucket, µs.
    fn bound(bucket: usize) -> u64 {
        if bucket < LINEAR {
            return bucket as u64 + 1;
        }
        let (decade, step) = ((bucket - LINEAR) / DECADE, (bucket - LINEAR) % DECADE);
        10_u64.pow(decade as u32 + 1) * (step as u64 + 11)
    }

    #[test]
    fn each_bound_belongs_to_its_bucket_and_what_is_above_to_the_next() {
        for index in 0..BUCKETS - 1 {
            let bound = Duration::from_micros(bound(index));
            assert_eq!(bucket(bound), index, "{bound:?}");
            assert_eq!(bucket(bound + Duration::from_nanos(1)), index + 1);
        }
        assert_eq!(bound(BUCKETS - 2), 100_000_000);
        assert_eq!(bucket(Duration::ZERO), 0);
        assert_eq!(bucket(Duration::MAX), BUCKETS - 1);
    }

    #[test]
    fn a_bucket_is_at_most_a_tenth_as_wide_as_it_is_high() {
        for index in 10..BUCKETS - 1 {
            let width = bound(index) - bound(index - 1);
            assert!(width * 10 <= bound(index), "{index}");
        }
    }

    #[test]
    fn the_bounds_of_two_digits_are_bounds_of_buckets() {
        for micros in [1, 5, 10, 25, 50, 75] {
            for exponent in 0..6 {
                let wanted = micros * 10_u64.pow(exponent);
                assert_eq!(bound(bucket(Duration::from_micros(wanted))), wanted);
            }
        }
    }
}
