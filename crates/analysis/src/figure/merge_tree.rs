//! `merge-tree`: the dendrogram of a replica's merges over log t. The table `merges` tells the sizes of what merged; clusters of one
//! size are interchangeable in it, so that the tree is one of those that fit.

use crate::dataset::Dataset;
use crate::error::AnalysisError;

use super::Choice;
use super::choice::{describe, title};
use super::plot::{Axis, Figure, Layer, Panel};

/// A cluster: its size, when it was formed, and of which two.
struct Node {
    size: u64,
    t: f64,
    of: Option<(usize, usize)>,
}

/// Makes it.
pub fn make(dataset: &Dataset, choice: &Choice) -> Result<Figure, AnalysisError> {
    let chosen = choice.cells(dataset)?;
    let columns = ["replica", "t", "size_left", "size_right"];
    let table = dataset
        .read("merges", &columns, &|cell| chosen.iter().any(|one| dataset.cells[*one].name == cell.name))?;
    let (replica, t, rows) = (table.numbers("replica"), table.numbers("t"), table.by_cell());
    let sizes = (table.numbers("size_left"), table.numbers("size_right"));
    let of = |cell: &usize| {
        let rows = rows.get(cell).into_iter().flatten().copied();
        rows.filter(|row| replica[*row] == f64::from(choice.replica)).collect::<Vec<usize>>()
    };
    // The first of the chosen cells in which this replica merged.
    let Some(cell) = chosen.iter().copied().find(|cell| !of(cell).is_empty()) else {
        let mut others: Vec<u32> = chosen
            .iter()
            .filter_map(|cell| rows.get(cell))
            .flatten()
            .map(|row| replica[*row] as u32)
            .collect();
        others.sort_unstable();
        others.dedup();
        let some: Vec<String> = others.iter().take(8).map(ToString::to_string).collect();
        let advice = if some.is_empty() {
            "nor has another".to_owned()
        } else {
            format!("others have: {}", some.join(", "))
        };
        return Err(AnalysisError::Nothing(format!(
            "merge-tree: replica {} of the chosen cells has no merges; {advice} (--replica)",
            choice.replica
        )));
    };
    let events: Vec<(f64, u64, u64)> =
        of(&cell).into_iter().map(|row| (t[row], sizes.0[row] as u64, sizes.1[row] as u64)).collect();
    let layers = lines(&events).into_iter().map(|points| Layer::line(points, None, 0)).collect();
    let panel = Panel::new(
        format!("replica {}", choice.replica),
        Axis::log("t"),
        Axis::linear("clusters, in the order of the tree"),
        layers,
    );
    let chosen = describe(dataset, cell, &(0..dataset.cells.len()).collect::<Vec<_>>());
    Ok(Figure { title: title(dataset, &["merges", &chosen]), panels: vec![panel] })
}

/// The lines of the tree: for each merge the bracket that joins its two clusters.
fn lines(events: &[(f64, u64, u64)]) -> Vec<Vec<(f64, f64)>> {
    let first = events.iter().map(|event| event.0).filter(|t| *t > 0.0).fold(f64::INFINITY, f64::min);
    let begin = first / 2.0;
    let mut nodes: Vec<Node> = Vec::new();
    let mut alive: Vec<usize> = Vec::new();
    for (t, left, right) in events {
        let mut take = |size: u64| {
            // The oldest cluster of this size; one that was never seen was there from the beginning.
            if let Some(place) = alive.iter().position(|node| nodes[*node].size == size) {
                return alive.remove(place);
            }
            nodes.push(Node { size, t: begin, of: None });
            nodes.len() - 1
        };
        let (a, b) = (take(*left), take(*right));
        nodes.push(Node { size: left + right, t: t.max(begin), of: Some((a, b)) });
        alive.push(nodes.len() - 1);
    }
    let (mut heights, mut leaves) = (vec![0.0; nodes.len()], 0);
    for root in &alive {
        place(*root, &nodes, &mut heights, &mut leaves);
    }
    nodes
        .iter()
        .filter_map(|node| {
            let (a, b) = node.of?;
            let (from, to) = ((nodes[a].t, heights[a]), (nodes[b].t, heights[b]));
            Some(vec![from, (node.t, heights[a]), (node.t, heights[b]), to])
        })
        .collect()
}

/// Leaves below each other, every other cluster between its two. Without recursion: a tree may be as deep as it has leaves.
fn place(root: usize, nodes: &[Node], heights: &mut [f64], leaves: &mut u32) {
    let mut stack = vec![(root, false)];
    while let Some((node, seen)) = stack.pop() {
        match (nodes[node].of, seen) {
            (None, _) => {
                heights[node] = f64::from(*leaves);
                *leaves += 1;
            }
            (Some((a, b)), true) => heights[node] = f64::midpoint(heights[a], heights[b]),
            (Some((a, b)), false) => stack.extend([(node, true), (b, false), (a, false)]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_clusters_become_one() {
        let lines = lines(&[(1.0, 2, 3), (10.0, 5, 4)]);
        assert_eq!(lines[0], [(0.5, 0.0), (1.0, 0.0), (1.0, 1.0), (0.5, 1.0)]);
        assert_eq!(lines[1], [(1.0, 0.5), (10.0, 0.5), (10.0, 2.0), (0.5, 2.0)]);
    }
}
