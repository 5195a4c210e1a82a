//! Weights, heads, feed-forward layers and layers of their own matrices, from a sweep file to the end of a run.

use metasweep_dynamics::simd::Isa;
use metasweep_sweep::chunk::Segment;
use metasweep_sweep::replay;
use metasweep_sweep::simulate::simulate;
use metasweep_sweep::sweep::Sweep;

mod npy;

const REPLICAS: u32 = 3;

/// A sweep with this grid; the file `theta.npy` holds (1, 0) and (0, 2).
fn sweep_of(grid: &str, integrator: &str) -> Sweep {
    let text = format!(
        "name = \"test\"\nseed = 11\nreplicas = {REPLICAS}\n[[grid]]\n{grid}\n[time]\nhorizon = 2.0\n\
         integrator = \"{integrator}\"\nstep = 0.1\nsample = {{ count = 3 }}\n[observe]\nseries = [\"energy\"]\n"
    );
    let mut load = |_: &str| Ok(npy::of("(2, 2)", &[1.0, 0.0, 0.0, 2.0]));
    Sweep::parse(&text, "test.toml", &[], &mut load).unwrap_or_else(|error| panic!("{error}"))
}

/// The bits of the last tokens of a replica of the only cell.
fn end(sweep: &Sweep, cell: usize, replica: u32) -> Vec<u64> {
    let cell = &sweep.cells[cell];
    let frames = replay::trajectory(sweep, cell, replica, &[cell.horizon()], Isa::Portable).expect("drawn");
    frames[0].tokens.iter().map(|x| x.to_bits()).collect()
}

/// Everything at once, with every kind of value as an axis: it runs to its end, in any order of lanes, and the sweep's
/// canonical text is the sweep.
#[test]
fn every_key_runs() {
    let grids = [
        "n = 4\nd = 3\nbeta = 2\nnormalization = [\"hardmax\", \"sinkhorn\"]\nexclude_self = [true, false]",
        "n = 4\nd = 3\nbeta = 1\nweights = [\"list(1, 2, 0.5, 1)\", \"list(1, 1, 1, 2)\"]\nnormalization = [\"softmax\", \"unnormalized\", \"sinkhorn\"]",
        "n = 4\nd = 2\nbeta = 4\nmask = \"causal\"\nexclude_self = true\nfrozen = [{ angles = [0.3, \"pi/2\"], weights = [1.5, 4] }, { angles = [0.3] }, { points = \"file(theta.npy)\" }]",
        "n = 4\nd = 3\nbeta = 1\nquery = \"gaussian(2)\"\nkey = \"gaussian(2)\"\nvalue = \"query_key\"",
        "n = 4\nd = 3\nbeta = 1\nheads = [1, 3]\nquery_key = \"goe\"\nvalue = \"-query_key\"\nsharing = [\"replica\", \"cell\", \"layer\"]",
        "n = 4\nd = 2\nbeta = 1\nheads = { of = [{ query_key = \"goe\" }, { query = \"file(theta.npy)\", key = \"gaussian\", value = \"diag(1, 2)\" }] }",
        "n = 4\nd = 3\nbeta = 1\nfeed_forward = [\"relu\", \"tanh(gaussian; bias=normal)\", \"gelu(diag(1, 2, 3); bias=0.5)\"]",
        "n = 4\nd = 2\nbeta = 1\ngeometry = \"circle\"\nintegrator = \"discrete\"\nweights = \"list(1, 2, 3, 4)\"\nfrozen = \"angles(1@2)\"",
    ];
    for grid in grids {
        let sweep = sweep_of(grid, "projected_euler");
        let mut load = |name: &str| Ok(sweep.inputs[name].bytes.clone());
        let again = Sweep::parse(&sweep.canonical, "canonical.toml", &[], &mut load)
            .unwrap_or_else(|error| panic!("{}\n{error}", sweep.canonical));
        assert_eq!(sweep.identity(), again.identity(), "{grid}");
        for (index, cell) in sweep.cells.iter().enumerate() {
            let segment = Segment { cell: index as u32, replicas: 0..REPLICAS };
            let records = simulate(&sweep, &segment, None, Isa::Portable, &|_| false).records;
            assert_eq!(records.len(), REPLICAS as usize);
            for record in &records {
                assert_eq!(record.status, "ok", "{}", cell.canonical());
                assert!(record.energy_final.is_some_and(|energy| energy > 0.0 && energy <= 1.0 + 1e-12));
            }
            let other = simulate(&sweep, &segment, None, Isa::widest(), &|_| false).records;
            assert_eq!(records, other, "{}", cell.canonical());
        }
    }
}

/// One head is what there was before heads; a list of one head draws the same; two heads begin with it.
#[test]
fn the_first_head_draws_what_it_always_drew() {
    let base = "n = 4\nd = 3\nbeta = 1\n";
    let plain = sweep_of(&format!("{base}query_key = \"goe\"\nvalue = \"gaussian\""), "rk4");
    let one = sweep_of(&format!("{base}query_key = \"goe\"\nvalue = \"gaussian\"\nheads = 1"), "rk4");
    assert_eq!(plain.cells[0].name, one.cells[0].name);
    let listed = sweep_of(
        &format!("{base}heads = {{ of = [{{ query_key = \"goe\", value = \"gaussian\" }}] }}"),
        "rk4",
    );
    let two = sweep_of(&format!("{base}query_key = \"goe\"\nvalue = \"gaussian\"\nheads = 2"), "rk4");
    for replica in 0..REPLICAS {
        assert_eq!(end(&plain, 0, replica), end(&listed, 0, replica));
        let heads = |sweep: &Sweep| {
            replay::initial(sweep, &sweep.cells[0], replica).expect("drawn").parameters.heads.clone()
        };
        let (first, both) = (heads(&plain), heads(&two));
        assert_eq!(both.len(), 2);
        assert_eq!(both[0], first[0]);
        assert_ne!(both[1], first[0]);
    }
}

/// An interrupted replica with matrices for every layer goes on with the same bits.
#[test]
fn a_checkpoint_in_the_middle_of_layers_leaves_no_trace() {
    let sweep = sweep_of("n = 4\nd = 3\nbeta = 1\nquery_key = \"goe\"\nsharing = \"layer\"", "discrete");
    let segment = Segment { cell: 0, replicas: 0..REPLICAS };
    // Interruptions are asked for every 64 steps at most.
    let longer = sweep_of(
        "n = 4\nd = 3\nbeta = 1\nquery_key = \"goe\"\nsharing = \"layer\"\nhorizon = 20",
        "discrete",
    );
    let uncut = simulate(&longer, &segment, None, Isa::widest(), &|_| false);
    let cut = simulate(&longer, &segment, None, Isa::widest(), &|taken| taken >= 64);
    let checkpoint = cut.checkpoint.expect("interrupted");
    let resumed = simulate(&longer, &segment, Some(&checkpoint), Isa::Portable, &|_| false);
    assert_eq!(resumed.records, uncut.records);
    // Every replica has its own layers, and every layer its own matrices.
    assert_ne!(end(&sweep, 0, 0), end(&sweep, 0, 1));
}

/// Sharing one draw of all heads.
#[test]
fn shared_heads_are_the_same_in_all_replicas() {
    let sweep =
        sweep_of("n = 4\nd = 3\nbeta = 1\nquery_key = \"goe\"\nheads = 2\nsharing = \"sweep\"", "rk4");
    let heads = |replica| replay::initial(&sweep, &sweep.cells[0], replica).expect("drawn").parameters;
    assert_eq!(*heads(0), *heads(2));
}
