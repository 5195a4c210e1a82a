//! Initial laws and families of matrices from a sweep file to the end of a run, against what the papers prove of them.

use metasweep_dynamics::initial;
use metasweep_dynamics::matrices;
use metasweep_dynamics::parameters::Operator;
use metasweep_dynamics::simd::Isa;
use metasweep_sweep::chunk::Segment;
use metasweep_sweep::replay;
use metasweep_sweep::simulate::simulate;
use metasweep_sweep::sweep::Sweep;

const REPLICAS: u32 = 16;

/// A sweep with this grid; files hold `bytes`.
fn sweep_of(grid: &str, bytes: &[u8]) -> Sweep {
    let text = format!(
        "name = \"test\"\nseed = 11\nreplicas = {REPLICAS}\n[[grid]]\n{grid}\n[time]\nhorizon = 60.0\n\
         integrator = \"rk4\"\nstep = 0.1\nsample = {{ count = 4 }}\n[observe]\nseries = [\"mean_cosine\"]\n"
    );
    Sweep::parse(&text, "test.toml", &[], &mut |_| Ok(bytes.to_vec()))
        .unwrap_or_else(|error| panic!("{error}"))
}

/// P0 Lemma 4.2: from one open hemisphere all tokens gather in one cluster, exponentially fast; also in their span.
#[test]
fn a_hemisphere_gathers_in_one_cluster() {
    let sweep = sweep_of(
        "n = 12\nd = [2, 3, 40]\nbeta = 1.0\ninitial = \"hemisphere\"\nnormalization = [\"softmax\", \"unnormalized\"]",
        &[],
    );
    let constructions: Vec<_> = sweep.cells.iter().map(|cell| cell.initial_construction.as_str()).collect();
    assert_eq!(constructions, ["direct", "direct", "direct", "direct", "bartlett", "bartlett"]);
    for cell in 0..sweep.cells.len() as u32 {
        let segment = Segment { cell, replicas: 0..REPLICAS };
        for record in simulate(&sweep, &segment, None, Isa::Portable, &|_| false).records {
            assert_eq!(record.hemisphere_initial, Some(true), "{cell}");
            assert_eq!(record.clusters_final, [Some(1)], "{cell}");
            assert!(record.collapse_time[0].is_some(), "{cell}");
        }
    }
}

/// One token moves by P_x V x, so that x(t) is e^{tV} x(0), normalized (P4 Theorem 3.2): it ends on the eigenvector of the
/// leading eigenvalue, here 1 and by 0.9 ahead. At t = 60 what is left of the others is e^{−54}, times the condition of
/// the basis: below 1e-9 for conditions up to 1e14.
#[test]
fn a_token_ends_on_the_leading_eigenvector() {
    let sweep = sweep_of(
        "n = 1\nd = 3\nbeta = 1.0\nvalue = [\"spectrum(1, 0.1+0.08i)\", \"spectrum(1, 0.1+0.08i; basis=gaussian)\", \
         \"spectrum(0.1, 1, -0.5)\"]",
        &[],
    );
    for cell in &sweep.cells {
        for replica in 0..REPLICAS {
            let parameters = replay::initial(&sweep, cell, replica).expect("drawn").parameters;
            let Operator::Dense(v) = &parameters.heads[0].value else { panic!("V is dense") };
            let frames =
                replay::trajectory(&sweep, cell, replica, &[cell.horizon()], Isa::Portable).expect("drawn");
            let x = &frames[0].tokens;
            for i in 0..3 {
                let image: f64 = (0..3).map(|j| v[(i, j)] * x[j]).sum();
                assert!((image - x[i]).abs() < 1e-9, "{} {replica}: {image} {}", cell.text("value"), x[i]);
            }
        }
    }
}

/// In canonical text, and through it, every law and family is itself again; equal ones have one name.
#[test]
fn canonical_texts_are_fixed_points() {
    let sweep = sweep_of(
        "n = 4\nd = 4\nbeta = 1.0\nvalue = [\"spectrum(1, i, -0.07)\", \"spectrum(1.0, 0+1i, -.07; basis = haar)\", \"uniform\"]\n\
         query_key = [\"spectrum(2, 2, 2, 2)\", \"spectrum(1+i, 0.1-0.2i; basis=standard)\"]\n\
         initial = [\"hemisphere\", \"wrapped_normal_mixture(0.5@0, 0.5@pi; sigma=1/4, elevation=uniform)\"]",
        &[],
    );
    assert_eq!(sweep.cells.len(), 8);
    let again = Sweep::parse(&sweep.canonical, "canonical", &[], &mut |_| unreachable!());
    assert_eq!(again.expect("canonical text parses"), sweep);
    let mixture =
        "wrapped_normal_mixture(0.5@0, 0.5@3.141592653589793; sigma=0.25, elevation=1.5707963267948966)";
    assert!(sweep.cells.iter().any(|cell| cell.text("initial") == mixture));
}

/// Two tensors of one file are two matrices; the file is named by its content, the tensor by its name.
#[test]
fn tensors_count_by_content_and_name() {
    let header = r#"{"a.v":{"dtype":"BF16","shape":[2,2],"data_offsets":[0,8]},"b":{"dtype":"F64","shape":[2,2],"data_offsets":[8,40]}}"#;
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.bytes());
    // 1, −2, 0.5, 0 as the upper halves of singles.
    bytes.extend([0x80, 0x3f, 0x00, 0xc0, 0x00, 0x3f, 0x00, 0x00]);
    bytes.extend([0.1, 0.2, 0.3, 0.4_f64].iter().flat_map(|x| x.to_le_bytes()));
    let sweep = sweep_of(
        "n = 4\nd = 2\nbeta = 1.0\nvalue = \"file(m.safetensors; tensor=a.v)\"\nquery_key = \"file(m.safetensors; tensor=b)\"",
        &bytes,
    );
    let (name, input) = sweep.inputs.first_key_value().expect("one input");
    assert_eq!((sweep.inputs.len(), &input.bytes), (1, &bytes));
    assert_eq!(sweep.cells[0].text("value"), format!("file({name}; tensor=a.v)"));
    let drawn = replay::initial(&sweep, &sweep.cells[0], 0).expect("drawn");
    let Operator::Dense(v) = &drawn.parameters.heads[0].value else { panic!("V is dense") };
    assert_eq!(v.transpose().as_slice(), [1.0, -2.0, 0.5, 0.0]);
    let again =
        Sweep::parse(&sweep.canonical, "canonical", &[], &mut |name| Ok(sweep.inputs[name].bytes.clone()));
    assert_eq!(again.expect("canonical text parses"), sweep);
}

/// docs/models.md has a row for every law and family.
#[test]
fn every_law_and_family_has_its_row() {
    let page = include_str!("../../../docs/models.md");
    for usage in initial::USAGES.iter().chain(&matrices::USAGES) {
        let name = usage.split('(').next().unwrap_or(usage);
        let row = |line: &&str| {
            line.starts_with('|')
                && (line.contains(&format!("`{name}`")) || line.contains(&format!("`{name}(")))
        };
        assert!(page.lines().find(row).is_some(), "{usage}");
    }
}
