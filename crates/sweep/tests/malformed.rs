//! Sweep files with a mistake in them, each with the message that a user reads.

use std::path::Path;

use metasweep_sweep::sweep::Sweep;

mod npy;

/// Files beside the sweep files.
fn load(name: &str) -> std::io::Result<Vec<u8>> {
    match name {
        "v.npy" => Ok(npy::of("(2, 2)", &[1.0, 0.5, -0.5, 1.0])),
        "two.safetensors" => Ok(safetensors("F64", &[("k.weight", 32), ("q", 32)])),
        "integers.safetensors" => Ok(safetensors("I64", &[("q", 32)])),
        "damaged.safetensors" => Ok(safetensors("F64", &[("q", 31)])),
        "damaged.npy" => Ok(b"\x93NUMPY\x01\x00 and then nothing".to_vec()),
        _ => Err(std::io::Error::new(std::io::ErrorKind::NotFound, "no such file")),
    }
}

/// 2 × 2 matrices of zeros of this type, each of so many bytes.
fn safetensors(kind: &str, tensors: &[(&str, usize)]) -> Vec<u8> {
    let mut data = Vec::new();
    let mut entries = Vec::new();
    for (name, length) in tensors {
        let from = data.len();
        data.resize(from + length, 0);
        let to = data.len();
        entries.push(format!(r#""{name}":{{"dtype":"{kind}","shape":[2,2],"data_offsets":[{from},{to}]}}"#));
    }
    let header = format!("{{{}}}", entries.join(","));
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.bytes());
    bytes.extend(data);
    bytes
}

#[test]
fn every_malformed_file_is_answered() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/malformed");
    let mut files: Vec<_> = std::fs::read_dir(&folder)
        .expect("tests/malformed")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "toml"))
        .collect();
    files.sort();
    assert!(files.len() >= 60, "{}", files.len());
    let mut settings = insta::Settings::clone_current();
    settings.set_prepend_module_to_snapshot(false);
    settings.set_snapshot_path("malformed");
    settings.set_omit_expression(true);
    settings.bind(|| {
        for file in files {
            let text = std::fs::read_to_string(&file).expect("a text");
            let name = file.file_stem().and_then(|name| name.to_str()).expect("a name").to_owned();
            let Err(error) = Sweep::parse(&text, "sweep.toml", &[], &mut load) else {
                panic!("{name} is not malformed")
            };
            insta::assert_snapshot!(name, error.to_string());
        }
    });
}

#[test]
fn overrides_are_answered_too() {
    let text = include_str!("../../../sweeps/quickstart.toml");
    let mut messages = Vec::new();
    for overrides in [
        &["replicas"][..],
        &["=3"],
        &["betta=3"],
        &["time.horizn=3"],
        &["replicas=1e3"],
        &["beta=[1.0, 2.0"],
        &["beta=sqrt(m)"],
        &["normalization=sofmax"],
        &["replicas=4", "observe.delta=5"],
        &["grid.7.beta=1"],
        &["name.first=x"],
        &["horizon=[1.0, 2.0]", "step=1.5"],
        &["time.step=[0.1, 0.05]"],
    ] {
        let overrides: Vec<String> = overrides.iter().map(|&text| text.to_owned()).collect();
        let Err(error) = Sweep::parse(text, "quickstart.toml", &overrides, &mut load) else {
            panic!("{overrides:?} are right")
        };
        messages.push(format!("--set {}\n{error}\n", overrides.join(" --set ")));
    }
    insta::with_settings!({omit_expression => true}, { insta::assert_snapshot!("overrides", messages.join("\n")) });
}

#[test]
fn a_zipped_key_is_not_set_alone() {
    let text =
        "name = \"t\"\nseed = 1\nreplicas = 1\n[[grid]]\nbeta = 1\nzip = { n = [8, 16], d = [2, 3] }\n";
    let error = Sweep::parse(text, "t.toml", &["n=4".to_owned()], &mut load).expect_err("a mistake");
    insta::with_settings!({omit_expression => true}, { insta::assert_snapshot!("zipped", error.to_string()) });
}
