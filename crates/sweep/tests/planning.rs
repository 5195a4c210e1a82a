//! Chunks and plans: everything once, the dearest first.

use std::sync::OnceLock;
use std::time::Duration;

use metasweep_dynamics::simd::{Isa, LANES};
use metasweep_sweep::calibration::Calibration;
use metasweep_sweep::chunk::{Chunk, Cut, Segment, cut};
use metasweep_sweep::cost::{Costs, in_lanes, occupied};
use metasweep_sweep::plan::{Machine, chunks, ensemble_bytes, makespan, plan};
use metasweep_sweep::sweep::Sweep;
use proptest::prelude::*;

fn parse(text: &str) -> Sweep {
    Sweep::parse(text, "test.toml", &[], &mut |_| unreachable!()).unwrap_or_else(|error| panic!("{error}"))
}

fn figure_2() -> &'static Sweep {
    static SWEEP: OnceLock<Sweep> = OnceLock::new();
    SWEEP.get_or_init(|| parse(include_str!("../../../sweeps/p0-fig2.toml")))
}

fn everything(sweep: &Sweep) -> Vec<Segment> {
    (0..sweep.cells.len() as u32).map(|cell| Segment { cell, replicas: 0..sweep.replicas }).collect()
}

/// Each replica of `missing` is in exactly one chunk, and no other.
fn assert_partition(chunks: &[Chunk], missing: &[Segment]) {
    let listed = |segments: &mut dyn Iterator<Item = &Segment>| {
        let mut all: Vec<(u32, u32)> = segments
            .flat_map(|segment| segment.replicas.clone().map(|replica| (segment.cell, replica)))
            .collect();
        all.sort_unstable();
        all
    };
    assert!(chunks.iter().all(|chunk| !chunk.segments.is_empty()));
    assert!(chunks.iter().flat_map(|chunk| &chunk.segments).all(|segment| !segment.replicas.is_empty()));
    let cut = listed(&mut chunks.iter().flat_map(|chunk| &chunk.segments));
    assert_eq!(cut, listed(&mut missing.iter()));
}

#[test]
fn every_replica_once_the_dearest_chunk_first() {
    let sweep = figure_2();
    let missing = everything(sweep);
    let costs = Costs::default();
    for (workers, target) in [(1, 3.0), (2, 3.0), (64, 3.0), (2, 1e-9), (2, 1e9)] {
        let chunks = cut(&missing, sweep, &costs, &Cut { target, workers, chunk_replicas: None });
        assert_partition(&chunks, &missing);
        assert!(chunks.windows(2).all(|pair| pair[0].cost >= pair[1].cost));
        assert!(chunks.len() >= 4 * workers, "{} chunks for {workers} workers", chunks.len());
        let whole = |segment: &Segment| segment.replicas.start.is_multiple_of(LANES as u32);
        assert!(chunks.iter().flat_map(|chunk| &chunk.segments).all(whole));
    }
}

/// The last chunks are small beside the others, and what they wait for each other in the end is less than 2% of the run.
#[test]
fn the_tail_is_short() {
    let sweep = figure_2();
    for workers in [2, 8, 64] {
        let chunks = cut(
            &everything(sweep),
            sweep,
            &Costs::default(),
            &Cut { target: 3.0, workers, chunk_replicas: None },
        );
        let total: f64 = chunks.iter().map(|chunk| chunk.cost).sum();
        let idle = makespan(&chunks, workers) * workers as f64 / total - 1.0;
        assert!(idle < 0.02, "{workers} workers idle for {:.2}% of the run", 100.0 * idle);
    }
}

/// 12000 workers take at least six seconds each time they ask, whatever else is wished for: 2000 answers a second.
#[test]
fn many_workers_get_larger_chunks() {
    let sweep = parse(
        "name = \"t\"\nseed = 1\nreplicas = 8000000\n[[grid]]\nn = 64\nd = 64\nbeta = [1, 2]\n\
         [time]\nhorizon = 100.0\nintegrator = \"rk4\"\nstep = 0.1\nsample = { count = 20 }\n",
    );
    let first = |workers, missing: &[Segment]| {
        let how = Cut { target: 3.0, workers, chunk_replicas: None };
        cut(missing, &sweep, &Costs::default(), &how)[0].cost
    };
    let few = first(10, &[Segment { cell: 0, replicas: 0..20_000 }]);
    let many = first(12_000, &everything(&sweep));
    assert!((1.5..=3.0).contains(&few) && (4.5..=6.0).contains(&many), "{few} {many}");
}

#[test]
fn chunk_replicas_says_how_many() {
    let sweep = figure_2();
    let missing = [Segment { cell: 3, replicas: 5..22 }, Segment { cell: 7, replicas: 0..3 }];
    let how = Cut { target: 3.0, workers: 2, chunk_replicas: Some(5) };
    let chunks = cut(&missing, sweep, &Costs::default(), &how);
    assert_partition(&chunks, &missing);
    let mut sizes: Vec<usize> = chunks.iter().map(|chunk| chunk.segments[0].replicas.len()).collect();
    sizes.sort_unstable();
    assert_eq!(sizes, [2, 3, 5, 5, 5]);
}

#[test]
fn cheap_cells_are_put_together() {
    let sweep = parse(
        "name = \"t\"\nseed = 1\nreplicas = 4\n[[grid]]\nn = 4\nd = 2\nbeta = { from = 0.1, to = 9.0, count = 500 }\n\
         [time]\nhorizon = 1.0\nintegrator = \"rk4\"\nstep = 0.1\nsample = [1.0]\n",
    );
    let how = Cut { target: 3.0, workers: 2, chunk_replicas: None };
    let chunks = cut(&everything(&sweep), &sweep, &Costs::default(), &how);
    // Sixteen for each of two workers, the last fifth of them in four pieces; packed one after the other they are half full at worst.
    assert!((8..=104).contains(&chunks.len()), "{}", chunks.len());
}

proptest! {
    #[test]
    fn whatever_is_missing_is_cut(pieces in prop::collection::vec((0_u32..270, 0_u32..40, 1_u32..60), 0..20), workers in 0_usize..9, replicas in prop::option::of(0_u32..9)) {
        let sweep = figure_2();
        let mut missing: Vec<Segment> = Vec::new();
        for (cell, start, length) in pieces {
            if !missing.iter().any(|segment| segment.cell == cell) {
                missing.push(Segment { cell, replicas: start..start + length });
            }
        }
        let how = Cut { target: 0.01, workers, chunk_replicas: replicas };
        assert_partition(&cut(&missing, sweep, &Costs::default(), &how), &missing);
    }

    /// Graham: longest first is at most 4/3 above the best, which is at least the mean load and the longest job.
    #[test]
    fn the_makespan_is_within_its_bounds(costs in prop::collection::vec(0.0_f64..10.0, 1..60), workers in 1_usize..9) {
        let chunks: Vec<Chunk> = costs.iter().map(|&cost| Chunk { segments: Vec::new(), cost }).collect();
        let found = makespan(&chunks, workers);
        let total: f64 = costs.iter().sum();
        let longest = costs.iter().copied().fold(0.0, f64::max);
        prop_assert!(found >= longest.max(total / workers as f64) * (1.0 - 1e-12));
        prop_assert!(found <= total / workers as f64 + longest);
    }
}

#[test]
fn a_plan_counts_what_is_known() {
    let machine = Machine { ranks: 2, threads: 1, chunk_replicas: None };
    let chunks = chunks(figure_2(), &Costs::default(), machine);
    let plan = plan(figure_2(), &Costs::default(), machine, &chunks);
    assert_eq!((plan.cells, plan.replicas, plan.steps), (540, 540 * 1024, 540 * 1024 * 300));
    assert_eq!(plan.tables["series"].rows, 540 * 200);
    assert_eq!(plan.tables["replicas"].rows, 540 * 1024);
    assert!(plan.tables["plateaus"].estimated && !plan.tables.contains_key("merges"));
    assert_eq!(plan.files, 4);
    // Two workers share the work: no more than half a chunk apart.
    let half = plan.core_hours * 1800.0;
    assert!(plan.makespan >= half * (1.0 - 1e-12) && plan.makespan < half + 10.0);
    assert!(plan.memory_per_rank < 1 << 30);
}

#[test]
fn partitions_have_files_of_their_own() {
    let sweep = parse(
        "name = \"t\"\nseed = 1\nreplicas = 10\n[[grid]]\nn = 4\nd = 2\nbeta = [1, 2, 3]\nmask = [\"full\", \"causal\"]\n\
         [time]\nhorizon = 1.0\nintegrator = \"rk4\"\nstep = 0.1\nsample = [1.0]\n\
         [output]\npartition_by = [\"mask\"]\nrows_per_part = 8\n",
    );
    let machine = Machine { ranks: 1, threads: 1, chunk_replicas: None };
    let plan = plan(&sweep, &Costs::default(), machine, &chunks(&sweep, &Costs::default(), machine));
    // 30 rows in each of two partitions, 8 a part.
    assert_eq!(plan.tables["replicas"].files, 8);
    assert_eq!(plan.tables["cells"].files, 1);
}

#[test]
fn a_calibration_is_positive_and_reads_back() {
    let isa = Isa::detect().expect("METASWEEP_SIMD is not wrong");
    let calibration = Calibration::measure(isa, Duration::from_millis(40));
    let costs = calibration.costs;
    for cost in [
        costs.pair,
        costs.pair_coordinate,
        costs.matrix_entry,
        costs.observed_pair,
        costs.sampled_pair,
        costs.drawn_number,
        costs.evaluation,
        costs.exponential,
        costs.exponential_entry,
        costs.frame_entry,
    ] {
        assert!(cost > 0.0 && cost < 1e-3, "{costs:?}");
    }
    let text = serde_json::to_string(&calibration).expect("plain");
    assert_eq!(serde_json::from_str::<Calibration>(&text).expect("reads back").isa, calibration.isa);
    eprintln!("{costs:?}");
}

/// One replica takes the time of a vector of them; full vectors cost what they hold.
#[test]
fn lanes_that_are_empty_cost_too() {
    assert_eq!([0, 1, 4, 5, 8, 1024].map(in_lanes), [0.0, 4.0, 4.0, 8.0, 8.0, 1024.0]);
    let sweep = figure_2();
    let cost = |replicas: std::ops::Range<u32>| {
        let how = Cut { target: 3.0, workers: 1, chunk_replicas: Some(8) };
        cut(&[Segment { cell: 0, replicas }], sweep, &Costs::default(), &how)[0].cost
    };
    // But for the starts, which are drawn one by one: 32 tokens of two coordinates.
    let starts = 3.0 * (Costs::default().replica + 64.0 * Costs::default().drawn_number);
    let more = cost(0..4) - cost(0..1);
    assert!((more / starts - 1.0).abs() < 1e-9, "{more} {starts}");
    assert_eq!((2.0 * cost(0..4)).to_bits(), cost(0..8).to_bits());
}

/// A sweep of one replica of many tokens, watched in some way.
fn many_tokens(n: usize, observe: &str) -> Sweep {
    parse(&format!(
        "name = \"t\"\nseed = 1\nreplicas = 1\n[[grid]]\nn = {n}\nd = 3\nbeta = 4\n[time]\nhorizon = 1.0\n\
         integrator = \"rk4\"\nstep = 0.1\nsample = [1.0]\n[observe]\n{observe}\n"
    ))
}

/// No n × n matrix but where one is asked for.
#[test]
fn memory_of_many_tokens() {
    let bytes = |n: usize, observe: &str| {
        let sweep = many_tokens(n, observe);
        ensemble_bytes(&sweep.cells[0], &sweep.observe) as f64
    };
    let series = "series = [\"energy\"]\nplateaus = false";
    assert!(bytes(100_000, series) < 3e8);
    assert!((5e9..2e10).contains(&bytes(100_000, "series = [\"energy\"]")));
    assert!(bytes(100_000, "series = [\"span_dimension\"]\nplateaus = false") >= 8e10);
}

/// Each replica of many tokens fills vectors by itself.
#[test]
fn many_tokens_leave_no_lane_empty() {
    let observe = "series = [\"energy\"]\nplateaus = false";
    let cost = |n: usize, replicas: u32| occupied(&many_tokens(n, observe).cells[0], replicas);
    assert_eq!([1, 3, 8].map(|replicas| cost(3000, replicas)), [1.0, 3.0, 8.0]);
    assert_eq!([1, 3, 8].map(|replicas| cost(100, replicas)), [4.0, 4.0, 8.0]);
}

/// Folders of many entries are refused where they would come from: here 10 001 values of a key that partitions.
#[test]
fn too_many_partitions_are_refused() {
    let text = |count: u32| {
        let values: Vec<String> = (1..=count).map(|index| format!("\"diag({index}, 1)\"")).collect();
        format!(
            "name = \"x\"\nseed = 1\nreplicas = 1\n[[grid]]\nn = 2\nd = 2\nbeta = 1\nvalue = [{}]\n[time]\nhorizon = 1\n\
             integrator = \"projected_euler\"\nstep = 0.1\nsample = {{ count = 2 }}\n[output]\npartition_by = [\"value\"]\n",
            values.join(", ")
        )
    };
    assert_eq!(parse(&text(10_000)).cells.len(), 10_000);
    let refused =
        Sweep::parse(&text(10_001), "test.toml", &[], &mut |_| unreachable!()).unwrap_err().to_string();
    assert!(refused.contains("`value` has 10001 values, and each would be a folder"), "{refused}");
}
