//! Tokens and attention weights of some replicas at some times, whole: the tables `tokens` and `attention`.
//!
//! The recorder shows every state; what is kept are the states that the watch names, of the lanes that are asked for.

use serde::{Deserialize, Serialize};

use crate::scene::{LaneMask, Scene, lanes_of};
use crate::watch::Watch;

/// What is kept so far of the lanes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Portraits {
    tokens: Gallery,
    attention: Gallery,
}

/// The numbers of one table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Gallery {
    lanes: LaneMask,
    /// Position in the watch's list of states.
    next: usize,
    /// `[lane]`, one moment after the other. Lanes that have failed get no more.
    kept: Vec<Vec<f64>>,
}

impl Gallery {
    fn new(mask: LaneMask, lanes: usize) -> Self {
        Self { lanes: mask, next: 0, kept: vec![Vec::new(); lanes] }
    }

    fn observe(
        &mut self,
        states: &[u64],
        due: impl Fn(u64) -> bool,
        alive: LaneMask,
        numbers: impl Fn(usize) -> Vec<f64>,
    ) {
        let moments = states[self.next..].iter().take_while(|state| due(**state)).count();
        if moments == 0 {
            return;
        }
        self.next += moments;
        for lane in lanes_of(self.lanes & alive) {
            let numbers = numbers(lane);
            (0..moments).for_each(|_| self.kept[lane].extend_from_slice(&numbers));
        }
    }
}

impl Portraits {
    /// Nothing kept yet; the lanes whose tokens and whose attention weights are asked for.
    #[must_use]
    pub fn new(tokens: LaneMask, attention: LaneMask, lanes: usize) -> Self {
        Self { tokens: Gallery::new(tokens, lanes), attention: Gallery::new(attention, lanes) }
    }

    /// Takes in a state; `due` says which states' moments it stands for.
    pub fn observe(
        &mut self,
        watch: &Watch,
        scene: &Scene<'_>,
        alive: LaneMask,
        due: impl Fn(u64) -> bool + Copy,
    ) {
        self.tokens.observe(&watch.tokens_at, due, alive, |lane| scene.lane_tokens(lane));
        self.attention.observe(&watch.attention_at, due, alive, |lane| {
            scene.system.map_or_else(Vec::new, |system| system.attention_weights(lane).concat())
        });
    }

    /// What was kept of a lane: tokens `[time][token][coordinate]`, attention weights `[time][head][i][j]`, up to the last moment
    /// that it lived to see.
    #[must_use]
    pub fn take(&mut self, lane: usize) -> (Vec<f64>, Vec<f64>) {
        (std::mem::take(&mut self.tokens.kept[lane]), std::mem::take(&mut self.attention.kept[lane]))
    }
}
