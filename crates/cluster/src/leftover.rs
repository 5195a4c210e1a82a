//! What is left of earlier runs: replicas that are missing, and among them those that were stopped in the middle.

use metasweep_sweep::chunk::Segment;

/// Takes out of `missing` what `stopped` covers. Returns the rest, in order, and the indices of those stopped segments
/// that are missing as a whole; others are no use, because some of their replicas have been computed since.
#[must_use]
pub fn set_apart(missing: &[Segment], stopped: &[Segment]) -> (Vec<Segment>, Vec<usize>) {
    let mut rest = missing.to_vec();
    let mut useful = Vec::new();
    for (index, segment) in stopped.iter().enumerate() {
        let Some(place) = rest.iter().position(|whole| contains(whole, segment)) else { continue };
        let whole = rest.remove(place);
        let before = whole.replicas.start..segment.replicas.start;
        let after = segment.replicas.end..whole.replicas.end;
        let parts = [before, after].into_iter().filter(|replicas| !replicas.is_empty());
        rest.splice(place..place, parts.map(|replicas| Segment { cell: whole.cell, replicas }));
        useful.push(index);
    }
    (rest, useful)
}

fn contains(whole: &Segment, part: &Segment) -> bool {
    whole.cell == part.cell
        && !part.replicas.is_empty()
        && whole.replicas.start <= part.replicas.start
        && part.replicas.end <= whole.replicas.end
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segment(cell: u32, start: u32, end: u32) -> Segment {
        Segment { cell, replicas: start..end }
    }

    #[test]
    fn stopped_replicas_are_cut_out_of_what_is_missing() {
        let missing = [segment(0, 16, 64), segment(1, 0, 8)];
        let stopped = [segment(0, 16, 24), segment(0, 40, 48), segment(1, 0, 8)];
        let (rest, useful) = set_apart(&missing, &stopped);
        assert_eq!(rest, [segment(0, 24, 40), segment(0, 48, 64)]);
        assert_eq!(useful, [0, 1, 2]);
    }

    #[test]
    fn a_checkpoint_of_replicas_that_are_there_is_left() {
        let missing = [segment(0, 20, 64)];
        let stopped = [segment(0, 16, 24), segment(3, 0, 8), segment(0, 60, 68), segment(0, 30, 30)];
        assert_eq!(set_apart(&missing, &stopped), (missing.to_vec(), vec![]));
    }

    #[test]
    fn of_two_checkpoints_of_the_same_replicas_the_first_counts() {
        let stopped = [segment(0, 0, 8), segment(0, 0, 8), segment(0, 4, 12)];
        assert_eq!(set_apart(&[segment(0, 0, 16)], &stopped), (vec![segment(0, 8, 16)], vec![0]));
    }
}
