//! The commented sweep file that `metasweep new NAME` writes.

use crate::parse::is_name;

/// A sweep file named `name` that runs as it is; `None` if the name is not one.
///
/// ```
/// use metasweep_sweep::{sweep::Sweep, template};
/// let text = template::sweep_file("my-sweep").unwrap();
/// let sweep = Sweep::parse(&text, "my-sweep.toml", &[], &mut |_| unreachable!()).unwrap();
/// assert_eq!(sweep.name, "my-sweep");
/// ```
#[must_use]
pub fn sweep_file(name: &str) -> Option<String> {
    is_name(name).then(|| TEMPLATE.replace("NAME", name))
}

const TEMPLATE: &str = r#"# metasweep run NAME.toml         runs it; the tables land in out/NAME
# metasweep plan NAME.toml        says beforehand what it costs

name = "NAME"
seed = 1                            # the master seed: same seed, same bytes
replicas = 64                       # realizations of each cell

# Cells are the product of the axes of a grid; several [[grid]] make their union.
[[grid]]
n = 32                              # tokens: a scalar is fixed,
d = [2, 8]                          # a list is an axis,
beta = { from = 1.0, to = 9.0, count = 5 }      # and so is a range; log = true makes it geometric
# beta = "sqrt(d)"                  # numbers may be expressions in n, d, beta, horizon, …
# gamma = 1.5                       # in place of beta: β = γ log n
# zip = { n = [16, 64], d = [4, 8] }            # keys that vary together
# normalization = ["softmax", "unnormalized"]   # SA, USA
# mask = "causal"                   # full
# value = "-identity"               # V: identity, -identity, diag(1, 0.5), spectrum(1, 0.1+0.08i), gaussian, goe, wishart, uniform,
#                                   # query_key, -query_key, file(v.npy), file(model.safetensors; tensor=name)
# query_key = "goe"                 # B = QᵀK: the same, but for the last ones
# sharing = "cell"                  # random matrices: fresh for each replica, or one draw for a cell or for the whole sweep
# initial = "equiangular(0.3)"      # uniform_sphere, orthonormal, equiangular(0.3), hemisphere, angles(0, pi/2), file(x0.npy),
#                                   # wrapped_normal_mixture(0.5@0, 0.5@pi; sigma=0.2); in R^d also hypercube(5), gaussian

[time]                              # any of these keys may stand in a [[grid]] instead, and be an axis there
horizon = 20.0
integrator = "projected_euler"      # x ← normalize(x + step · A(x)); or rk4, of fourth order; adaptive, multiscale with `tolerance`
step = 0.1                          # for USA also the authors' step, "authors(0.1)"
sample = { count = 41 }             # times of the series, from 0 to the horizon; or a list, or { from, to, count, log = true }

[observe]
series = ["clusters", "pair_fraction", "mean_cosine", "energy"]     # also min_cosine, threshold_rank, span_dimension, order,
# attention_rank, leaders, hyperplanes, leading_eigenspace_distance, renyi_centres, strong_renyi_centres, renyi_drift, captured_fraction
level = "cell"                      # cell: mean, std and quantiles over the replicas; replica: every one of them
quantiles = [0.1, 0.5, 0.9]          # at level cell
delta = 1e-3                        # tokens are together if ⟨x_i, x_j⟩ ≥ 1 − delta; a list gives columns for each
merges = false                      # the table of merges
plateaus = true                     # the table of metastable plateaus
final_state = true                  # columns min_cosine_final, energy_final; false: replicas end where all other rows are certain
# renyi = { separation = "4/sqrt(beta)" }                     # of the Rényi centres
# leading_eigenspace = "value_key_query"                      # of V KᵀQ; of V: value
# epsilon = 0.1                     # in R^d: tokens are together if ‖x_i − x_j‖ ≤ epsilon
# snapshots = { replicas = 4, times = [2.5, 18.0] }           # the table of whole tokens
# attention = { replicas = 1, times = [0.0, 3.0] }            # the table of attention weights
# histogram = [{ of = "inner_product", bins = 200 }, { of = "azimuth", bins = 360 }]

[output]
partition_by = []                   # strings that become folders, such as "normalization"
"#;
