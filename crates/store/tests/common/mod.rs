//! Sweeps made by hand, replicas made up by hashing (cell, replica), and a run of them in one process.
#![allow(dead_code, reason = "every test file uses its own share of this")]

use std::collections::BTreeMap;
use std::path::Path;

use metasweep_metastability::histogram::{Histogram, Quantity};
use metasweep_metastability::observables::Observable;
use metasweep_metastability::record::{End, Merge, Plateau, ReplicaRecord};
use metasweep_store::{Dataset, Job, Manifest, OpenMode, Opened, Result, StoreError, Writer, perform};
use metasweep_sweep::cell::{Cell, CellName, Value};
use metasweep_sweep::chunk::Segment;
use metasweep_sweep::moments::Moments;
use metasweep_sweep::sweep::{Level, Observe, Output, Sweep};

/// Numbers that depend on their seed alone (splitmix64).
pub struct Numbers(pub u64);

impl Numbers {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
    pub fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
    pub fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last as u64 + 1) as usize);
        }
    }
}

fn seed(text: &str) -> u64 {
    u64::from_le_bytes(blake3::hash(text.as_bytes()).as_bytes()[..8].try_into().unwrap())
}

/// A sweep over β in two normalizations.
pub fn sweep(betas: &[f64], replicas: u32, level: Level, rows_per_part: u64) -> Sweep {
    let mut cells = Vec::new();
    for beta in betas {
        for normalization in ["softmax", "unnormalized"] {
            let mut parameters = BTreeMap::new();
            parameters.insert("n".to_owned(), Value::Integer(8));
            parameters.insert("d".to_owned(), Value::Integer(2));
            parameters.insert("beta".to_owned(), Value::Number(*beta));
            parameters.insert("normalization".to_owned(), Value::Text(normalization.to_owned()));
            parameters.insert("value".to_owned(), Value::Text("diag(1, -1)".to_owned()));
            parameters.insert("gamma".to_owned(), Value::Null);
            parameters.insert("residual".to_owned(), Value::Boolean(true));
            let name = blake3::hash(format!("{beta} {normalization}").as_bytes()).to_hex();
            cells.push(Cell {
                name: CellName(name[..16].to_owned()),
                parameters,
                sample: (0..5).map(|k| f64::from(k) * 0.5).collect(),
                step: 0.1,
                step_rule: "0.1".to_owned(),
                initial_construction: "direct".to_owned(),
            });
        }
    }
    let observe = Observe {
        series: vec![Observable::Clusters, Observable::Energy],
        level,
        quantiles: vec![0.1, 0.5, 0.975],
        deltas: vec![1e-3, 1e-4],
        suffixes: vec![String::new(), "_delta_1e-4".to_owned()],
        merges: true,
        plateaus: true,
        min_lifetime: None,
        ..Observe::default()
    };
    let output = Output { partition_by: vec!["normalization".into(), "value".into()], rows_per_part };
    let canonical = format!("{betas:?} {replicas} {level:?} {rows_per_part}");
    cells.sort_by(Cell::compare);
    Sweep {
        name: "fabricated".to_owned(),
        replicas,
        cells,
        grid_keys: vec!["n".into(), "d".into(), "beta".into(), "normalization".into(), "value".into()],
        observe,
        output,
        canonical,
        inputs: BTreeMap::new(),
    }
}

/// The same sweep with the tables tokens (of 3 replicas), attention (of 2) and histogram.
pub fn with_more_tables(mut sweep: Sweep) -> Sweep {
    let moments = |replicas, times: &[f64]| Some(Moments { replicas, times: times.to_vec() });
    sweep.observe.snapshots = moments(3, &[0.0, 1.0]);
    sweep.observe.attention = moments(2, &[2.0]);
    sweep.observe.histograms =
        vec![Histogram { of: Quantity::InnerProduct, bins: 5 }, Histogram { of: Quantity::Azimuth, bins: 3 }];
    sweep.canonical.push_str(" more");
    sweep
}

/// A folder in memory where there is one: fsync costs nothing there.
pub fn folder() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.unwrap()
}

/// The record of a replica: a function of its cell's name and its number.
pub fn record(sweep: &Sweep, cell: u32, replica: u32) -> ReplicaRecord {
    let cell = &sweep.cells[cell as usize];
    let mut numbers = Numbers(seed(&format!("{} {replica}", cell.name)));
    let failed = numbers.below(17) == 0;
    let columns = metasweep_store::schema::series_columns(&sweep.observe).len();
    // The first two columns are those of `clusters`, which counts.
    let mut value = |index: usize| {
        if index < 2 * cell.sample.len() { numbers.below(9) as f64 } else { numbers.unit() }
    };
    let mut series: Vec<f64> = (0..columns * cell.sample.len()).map(&mut value).collect();
    if failed {
        for (index, value) in series.iter_mut().enumerate() {
            if index % cell.sample.len() >= 2 {
                *value = f64::NAN;
            }
        }
    }
    let plateaus = (0..numbers.below(4)).map(|k| plateau(&mut numbers, k)).collect();
    let merges = (0..numbers.below(3) as u32).map(|event| merge(&mut numbers, event)).collect();
    let deltas = sweep.observe.deltas.len();
    let observe = &sweep.observe;
    // A replica that has failed has not all of what it was asked for.
    let part = |rows: u64| if failed { rows / 2 } else { rows };
    let mut list = |rows: u64| (0..part(rows)).map(|_| numbers.unit()).collect::<Vec<f64>>();
    let first =
        |moments: &Option<Moments>| moments.as_ref().is_some_and(|moments| replica < moments.replicas);
    let width = cell.carried() as u64;
    let tokens = if first(&observe.snapshots) { list(observe.token_rows(cell)) } else { vec![] };
    let tokens = tokens.into_iter().flat_map(|x| (0..width).map(move |k| x + k as f64)).collect();
    let attention = if first(&observe.attention) { list(observe.attention_rows(cell)) } else { vec![] };
    let histograms = (0..part(observe.histogram_rows(cell))).map(|_| numbers.below(9)).collect();
    ReplicaRecord {
        collapse_time: (0..deltas).map(|_| (numbers.below(2) == 0).then(|| numbers.unit())).collect(),
        end: if failed { End::Failed } else { End::Horizon },
        status: if failed { "not finite at t = 1".to_owned() } else { "ok".to_owned() },
        clusters_final: vec![(!failed).then_some(3); deltas],
        min_cosine_final: (!failed).then(|| numbers.unit()),
        energy_final: (!failed).then(|| numbers.unit()),
        hemisphere_initial: Some(numbers.below(2) == 0),
        first_plateau: (numbers.below(2) == 0).then_some((2, 0.5, 1.5, false)),
        steps: 20,
        evaluations: 20,
        plateaus,
        merges,
        series,
        tokens,
        attention,
        histograms,
    }
}

fn plateau(numbers: &mut Numbers, k: u64) -> Plateau {
    let sizes: Vec<u32> = (0..=numbers.below(4)).map(|_| 2).collect();
    Plateau {
        from: k as f64,
        until: k as f64 + 0.5,
        lifetime: 0.5,
        censored: numbers.below(2) == 0,
        clusters: sizes.len() as u32,
        closest_cosine: (sizes.len() > 1).then(|| numbers.unit()),
        sizes,
        energy: numbers.unit(),
    }
}

fn merge(numbers: &mut Numbers, event: u32) -> Merge {
    Merge {
        event,
        t: numbers.unit(),
        dt: numbers.unit(),
        clusters_before: 3,
        clusters_after: 2,
        size_left: 4,
        size_right: 4,
        closest_cosine_before: numbers.unit(),
        was_closest_pair: numbers.below(2) == 0,
    }
}

pub fn records(sweep: &Sweep, segments: &[Segment]) -> Vec<ReplicaRecord> {
    let replicas = |segment: &Segment| {
        let cell = segment.cell;
        segment.replicas.clone().map(move |replica| (cell, replica))
    };
    segments.iter().flat_map(replicas).map(|(cell, replica)| record(sweep, cell, replica)).collect()
}

/// How the work is cut and ordered.
#[derive(Clone, Copy, Debug)]
pub struct Manner {
    /// Replicas of a chunk are at most this many; 0: whole cells.
    pub chunk: u32,
    /// Of the order of chunks, and of who computes what.
    pub seed: u64,
    /// Processes.
    pub processes: u32,
    /// Stop after this many pieces of work.
    pub stop_after: usize,
}

pub const PLAIN: Manner = Manner { chunk: 0, seed: 1, processes: 1, stop_after: usize::MAX };

pub fn open(dir: &Path, sweep: &Sweep, mode: OpenMode) -> Result<Box<Dataset>> {
    match Dataset::open(dir, sweep, mode)? {
        Opened::Ready(dataset) => Ok(dataset),
        Opened::Complete(_) => panic!("the dataset is complete"),
    }
}

pub fn cut(missing: Vec<Segment>, chunk: u32) -> Vec<Vec<Segment>> {
    let mut chunks = Vec::new();
    for segment in missing {
        let step = if chunk == 0 { u32::MAX } else { chunk };
        let mut from = segment.replicas.start;
        while from < segment.replicas.end {
            let until = segment.replicas.end.min(from.saturating_add(step));
            chunks.push(Segment { cell: segment.cell, replicas: from..until });
            from = until;
        }
    }
    // Two segments a chunk, now and then.
    let mut pairs = Vec::new();
    let mut rest = chunks.into_iter();
    while let Some(first) = rest.next() {
        let pair = first.replicas.start % 3 == 1;
        pairs.push(std::iter::once(first).chain(if pair { rest.next() } else { None }).collect());
    }
    pairs
}

/// Runs what is missing; `None` if stopped before the end.
pub fn drive(dir: &Path, sweep: &Sweep, mode: OpenMode, manner: Manner) -> Result<Option<Manifest>> {
    let mut dataset = match Dataset::open(dir, sweep, mode)? {
        Opened::Complete(manifest) => return Ok(Some(*manifest)),
        Opened::Ready(dataset) => dataset,
    };
    let writers: Vec<Writer> =
        (0..manner.processes).map(|rank| Writer::create(dir, sweep, dataset.nonce(), rank)).collect();
    let mut numbers = Numbers(manner.seed);
    let mut chunks = cut(dataset.missing(), manner.chunk);
    numbers.shuffle(&mut chunks);
    let mut jobs: Vec<Job> = dataset.pending_jobs();
    let mut done = 0;
    loop {
        let writer = &writers[numbers.below(u64::from(manner.processes)) as usize];
        let job_first = chunks.is_empty() || numbers.below(2) == 0;
        let receipt = if let Some(job) = jobs.pop_if(|_| job_first) {
            perform(dir, sweep, &job, writer, &|| false)?
        } else if let Some(chunk) = chunks.pop() {
            writer.commit(sweep, &chunk, &records(sweep, &chunk), 0.25)?
        } else if jobs.is_empty() {
            break;
        } else {
            continue;
        };
        jobs.extend(dataset.accept(&receipt)?);
        done += 1;
        if done == manner.stop_after {
            return Ok(None);
        }
    }
    writers.iter().try_for_each(Writer::sync)?;
    assert!(dataset.missing().is_empty() && dataset.pending_jobs().is_empty());
    dataset.finish(sweep).map(Some)
}

pub fn run(dir: &Path, sweep: &Sweep, manner: Manner) -> Manifest {
    drive(dir, sweep, OpenMode::Run, manner).unwrap().expect("the run was not stopped")
}

/// Every file below the tables' folders and the manifest, with its bytes.
pub fn files(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    for table in metasweep_store::layout::Table::ALL.map(metasweep_store::layout::Table::name) {
        collect(dir, &dir.join(table), &mut files);
    }
    files.insert("manifest.json".into(), std::fs::read(dir.join("manifest.json")).unwrap());
    files
}

fn collect(root: &Path, folder: &Path, files: &mut BTreeMap<String, Vec<u8>>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(root, &path, files);
        } else {
            let name = path.strip_prefix(root).unwrap().to_string_lossy().into_owned();
            files.insert(name, std::fs::read(&path).unwrap());
        }
    }
}

/// Equal files, told by name where they differ.
pub fn assert_same(left: &BTreeMap<String, Vec<u8>>, right: &BTreeMap<String, Vec<u8>>, what: &str) {
    let names = |files: &BTreeMap<String, Vec<u8>>| files.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(left), names(right), "{what}");
    for (name, bytes) in left {
        assert!(*bytes == right[name], "{what}: {name} differs");
    }
}

pub fn fails(outcome: Result<Option<Manifest>>) -> StoreError {
    outcome.expect_err("this must fail")
}
