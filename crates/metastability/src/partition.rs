//! Partitions of the tokens into clusters: connected components of a graph of close pairs.

use serde::{Deserialize, Serialize};

/// A partition of the tokens. Equal partitions are equal values.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Partition {
    /// The smallest token index in each token's cluster.
    labels: Vec<u32>,
    clusters: u32,
}

impl Partition {
    /// The connected components of the graph on n ≥ 1 tokens with these edges.
    #[must_use]
    pub fn components(n: usize, edges: impl Iterator<Item = (usize, usize)>) -> Self {
        let mut joining = Joining::new(n);
        for (i, j) in edges {
            joining.join(i, j);
            if joining.clusters == 1 {
                break;
            }
        }
        let Joining { mut labels, clusters } = joining;
        for i in 0..n {
            // Parents are never larger than their children and already flat.
            labels[i] = labels[labels[i] as usize];
        }
        Self { labels, clusters }
    }

    /// The partition with these parts, disjoint sets of tokens as bits, which make up n ≤ 64 tokens.
    #[must_use]
    pub fn of_parts(n: usize, parts: &[u64]) -> Self {
        let mut labels = vec![0; n];
        for part in parts {
            let (smallest, mut rest) = (part.trailing_zeros(), *part);
            while rest != 0 {
                labels[rest.trailing_zeros() as usize] = smallest;
                rest &= rest - 1;
            }
        }
        Self { labels, clusters: parts.len() as u32 }
    }

    /// Number of clusters.
    #[must_use]
    pub fn clusters(&self) -> u32 {
        self.clusters
    }

    /// Number of tokens.
    #[must_use]
    pub fn tokens(&self) -> usize {
        self.labels.len()
    }

    /// The cluster of a token, named by its smallest member.
    #[must_use]
    pub fn cluster_of(&self, token: usize) -> usize {
        self.labels[token] as usize
    }

    /// Whether two tokens are in one cluster.
    #[must_use]
    pub fn together(&self, i: usize, j: usize) -> bool {
        self.labels[i] == self.labels[j]
    }

    /// The size of each cluster, at the place of its smallest member; 0 elsewhere.
    #[must_use]
    pub fn size_by_cluster(&self) -> Vec<u32> {
        let mut sizes = vec![0; self.labels.len()];
        for &label in &self.labels {
            sizes[label as usize] += 1;
        }
        sizes
    }

    /// The cluster sizes, descending.
    #[must_use]
    pub fn sizes(&self) -> Vec<u32> {
        let mut sizes = self.size_by_cluster();
        sizes.retain(|&size| size > 0);
        sizes.sort_unstable_by(|a, b| b.cmp(a));
        sizes
    }

    /// The tokens of each cluster, both ascending.
    #[must_use]
    pub fn members(&self) -> Vec<Vec<usize>> {
        let mut members = vec![Vec::new(); self.labels.len()];
        for (token, &label) in self.labels.iter().enumerate() {
            members[label as usize].push(token);
        }
        members.retain(|cluster| !cluster.is_empty());
        members
    }
}

/// A partition in the making: edges come one by one.
pub struct Joining {
    /// A member of each token's cluster that is no larger than it; the smallest one is its own.
    labels: Vec<u32>,
    clusters: u32,
}

impl Joining {
    /// n tokens, each alone.
    #[must_use]
    pub fn new(n: usize) -> Self {
        Self { labels: (0..n as u32).collect(), clusters: n as u32 }
    }

    /// An edge.
    pub fn join(&mut self, i: usize, j: usize) {
        let (a, b) = (root(&mut self.labels, i), root(&mut self.labels, j));
        if a != b {
            // Roots are the smallest members, so the labels come out canonical.
            self.labels[a.max(b)] = a.min(b) as u32;
            self.clusters -= 1;
        }
    }

    /// Number of clusters so far.
    #[must_use]
    pub fn clusters(&self) -> u32 {
        self.clusters
    }
}

/// The root of i, with path halving.
fn root(parents: &mut [u32], mut i: usize) -> usize {
    while parents[i] as usize != i {
        parents[i] = parents[parents[i] as usize];
        i = parents[i] as usize;
    }
    i
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_extremes() {
        let alone = Partition::components(1, std::iter::empty());
        assert_eq!((alone.clusters(), alone.sizes()), (1, vec![1]));
        let apart = Partition::components(4, std::iter::empty());
        assert_eq!((apart.clusters(), apart.sizes()), (4, vec![1; 4]));
        let chain = Partition::components(4, [(2, 3), (0, 1), (1, 2)].into_iter());
        assert_eq!((chain.clusters(), chain.sizes()), (1, vec![4]));
        assert!((0..4).all(|i| chain.cluster_of(i) == 0));
    }

    #[test]
    fn labels_are_the_smallest_members() {
        let p = Partition::components(6, [(4, 5), (3, 5), (0, 2)].into_iter());
        assert_eq!((0..6).map(|i| p.cluster_of(i)).collect::<Vec<_>>(), [0, 1, 0, 3, 3, 3]);
        assert_eq!(p.members(), [vec![0, 2], vec![1], vec![3, 4, 5]]);
        assert_eq!(p.sizes(), [3, 2, 1]);
    }

    /// Reachability by Warshall's closure: the definition, word by word.
    fn reachable(n: usize, edges: &[(usize, usize)]) -> Vec<Vec<bool>> {
        let mut reach: Vec<Vec<bool>> = (0..n).map(|i| (0..n).map(|j| i == j).collect()).collect();
        for &(i, j) in edges {
            reach[i][j] = true;
            reach[j][i] = true;
        }
        for k in 0..n {
            let through = reach[k].clone();
            for row in reach.iter_mut().filter(|row| row[k]) {
                row.iter_mut().zip(&through).for_each(|(to, via)| *to |= via);
            }
        }
        reach
    }

    proptest! {
        #[test]
        fn components_are_reachability(n in 1_usize..24, raw in prop::collection::vec((0_usize..24, 0_usize..24), 0..30)) {
            let edges: Vec<_> = raw.into_iter().map(|(i, j)| (i % n, j % n)).collect();
            let partition = Partition::components(n, edges.iter().copied());
            let reach = reachable(n, &edges);
            for (i, row) in reach.iter().enumerate() {
                let together: Vec<bool> = (0..n).map(|j| partition.together(i, j)).collect();
                prop_assert_eq!(&together, row);
                prop_assert_eq!(Some(partition.cluster_of(i)), row.iter().position(|&reached| reached));
            }
            prop_assert_eq!(partition.clusters() as usize, partition.members().len());
        }

        #[test]
        fn the_order_of_tokens_does_not_matter(n in 2_usize..16, raw in prop::collection::vec((0_usize..16, 0_usize..16), 0..20), turn in 1_usize..16) {
            let edges: Vec<_> = raw.into_iter().map(|(i, j)| (i % n, j % n)).collect();
            let moved = |i: usize| (i + turn) % n;
            let a = Partition::components(n, edges.iter().copied());
            let b = Partition::components(n, edges.iter().rev().map(|&(i, j)| (moved(j), moved(i))));
            prop_assert_eq!(a.sizes(), b.sizes());
            for i in 0..n {
                for j in 0..n {
                    prop_assert_eq!(a.together(i, j), b.together(moved(i), moved(j)));
                }
            }
        }
    }
}
