//! Which frames are still needed, and which staging files can go: kept by rank 0.

use std::collections::{HashMap, HashSet};

use crate::layout::FrameFile;
use crate::receipt::FrameRef;

/// A frame in use, by a small number.
pub type FrameId = u32;

#[derive(Default)]
struct FileUse {
    alive: u32,
    seen: u32,
    expected: Option<u32>,
}

/// Counts who still needs what.
#[derive(Default)]
pub struct Frames {
    needed: HashMap<FrameId, (FrameRef, u32)>,
    files: HashMap<FrameFile, FileUse>,
    next: FrameId,
    /// Frames of this run may still be followed by others in the same file; those of earlier runs not.
    current: u64,
}

impl Frames {
    /// For the run `current`.
    pub fn new(current: u64) -> Self {
        Frames { current, ..Frames::default() }
    }

    /// A frame that `holds` uses need.
    pub fn add(&mut self, frame: FrameRef, holds: u32) -> FrameId {
        let file = self.files.entry(frame.file).or_default();
        file.seen += 1;
        file.alive += u32::from(holds > 0);
        let id = self.next;
        self.next += 1;
        if holds > 0 {
            self.needed.insert(id, (frame, holds));
        }
        id
    }

    /// The frame, as long as somebody needs it.
    pub fn get(&self, id: FrameId) -> Option<&FrameRef> {
        self.needed.get(&id).map(|(frame, _)| frame)
    }

    /// One use less.
    pub fn release(&mut self, id: FrameId) {
        let Some((frame, holds)) = self.needed.get_mut(&id) else { return };
        *holds -= 1;
        if *holds == 0 {
            if let Some(file) = self.files.get_mut(&frame.file) {
                file.alive -= 1;
            }
            self.needed.remove(&id);
        }
    }

    /// A staging file is full: it holds this many frames.
    pub fn closed(&mut self, file: FrameFile, frames: u32) {
        self.files.entry(file).or_default().expected = Some(frames);
    }

    /// Forgets and returns the files that nobody needs and nobody writes.
    pub fn take_consumed(&mut self) -> Vec<FrameFile> {
        let current = self.current;
        let consumed = |(name, file): (&FrameFile, &FileUse)| {
            let finished = name.nonce != current || file.expected == Some(file.seen);
            (file.alive == 0 && finished).then_some(*name)
        };
        let names: Vec<FrameFile> = self.files.iter().filter_map(consumed).collect();
        for name in &names {
            self.files.remove(name);
        }
        names
    }

    /// Every frame that somebody needs.
    pub fn alive(&self) -> impl Iterator<Item = &FrameRef> {
        self.needed.values().map(|(frame, _)| frame)
    }

    /// Files that hold a frame that somebody needs.
    pub fn files_in_use(&self) -> HashSet<FrameFile> {
        self.alive().map(|frame| frame.file).collect()
    }
}
