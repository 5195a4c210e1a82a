//! Pieces of one computation, shared out among the idle threads of the pool that it is called in.
//!
//! One replica of many tokens is a job for all threads of a rank, and these compute chunks of replicas already. So nobody is
//! waited for who has not begun: the caller works on the pieces itself, other threads join in if they are idle, and at the
//! end it waits for the pieces that were begun. It never takes up other tasks of the pool meanwhile (as rayon's own waiting
//! does): a replica would stand still until a whole other chunk is done, with the memory of both. Outside a pool the caller
//! is alone. Who computes a piece changes nothing: pieces come back in their order.
//!
//! Called by the attention of large ensembles ([`crate::attention`]).

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};

/// A computation in pieces. It owns what it reads: a thread may come to it late.
pub(crate) trait Job: Send + Sync + 'static {
    /// What comes of a piece.
    type Piece: Send + 'static;
    /// How many pieces there are.
    fn pieces(&self) -> usize;
    /// Computes piece `index`.
    fn piece(&self, index: usize) -> Self::Piece;
}

/// Where one caller's job hangs out for others to see.
#[derive(Default)]
pub(crate) struct Crew {
    board: Arc<Board>,
}

#[derive(Default)]
struct Board {
    job: Mutex<Option<Arc<dyn Help>>>,
    /// Threads sent for that have not come yet.
    expected: AtomicUsize,
}

/// What a thread does that comes to a job.
trait Help: Send + Sync {
    fn help(&self);
}

struct Shared<J: Job> {
    job: Arc<J>,
    next: AtomicUsize,
    results: Sender<(usize, J::Piece)>,
}

impl<J: Job> Shared<J> {
    /// A piece that nobody has begun.
    fn take(&self) -> Option<usize> {
        Some(self.next.fetch_add(1, Ordering::Relaxed)).filter(|index| *index < self.job.pieces())
    }
}

impl<J: Job> Help for Shared<J> {
    fn help(&self) {
        while let Some(index) = self.take() {
            // A send fails only if the caller is gone.
            drop(self.results.send((index, self.job.piece(index))));
        }
    }
}

impl Board {
    fn put(&self, job: Option<Arc<dyn Help>>) {
        *self.job.lock().unwrap_or_else(PoisonError::into_inner) = job;
    }

    fn job(&self) -> Option<Arc<dyn Help>> {
        self.job.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Crew {
    /// All pieces of `job`, in order.
    pub(crate) fn share<J: Job>(&self, job: J) -> Vec<J::Piece> {
        let count = job.pieces();
        let job = Arc::new(job);
        let helpers =
            if rayon::current_thread_index().is_some() { rayon::current_num_threads() - 1 } else { 0 };
        if helpers == 0 || count < 2 {
            return (0..count).map(|index| job.piece(index)).collect();
        }
        let (results, arrived) = channel();
        let shared = Arc::new(Shared { job: Arc::clone(&job), next: AtomicUsize::new(0), results });
        self.board.put(Some(Arc::clone(&shared) as Arc<dyn Help>));
        self.send_for(helpers.min(count - 1));
        let mut pieces: Vec<Option<J::Piece>> = (0..count).map(|_| None).collect();
        while let Some(index) = shared.take() {
            pieces[index] = Some(job.piece(index));
        }
        self.board.put(None);
        // From here on only threads at work hold the sender: when they are done, or dead, the channel ends.
        drop(shared);
        for (index, piece) in arrived {
            pieces[index] = Some(piece);
        }
        pieces
            .into_iter()
            .enumerate()
            .map(|(index, piece)| piece.unwrap_or_else(|| job.piece(index)))
            .collect()
    }

    /// Sees to it that so many threads are on their way. Those that come late find nothing to do.
    fn send_for(&self, helpers: usize) {
        while self.board.expected.load(Ordering::Relaxed) < helpers {
            self.board.expected.fetch_add(1, Ordering::Relaxed);
            let board = Arc::clone(&self.board);
            rayon::spawn(move || {
                board.expected.fetch_sub(1, Ordering::Relaxed);
                if let Some(job) = board.job() {
                    job.help();
                }
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, channel};
    use std::time::Duration;

    use super::*;

    struct Squares(usize);

    impl Job for Squares {
        type Piece = usize;
        fn pieces(&self) -> usize {
            self.0
        }
        fn piece(&self, index: usize) -> usize {
            index * index
        }
    }

    fn pool(threads: usize) -> rayon::ThreadPool {
        rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("the system has threads")
    }

    #[test]
    fn pieces_come_in_order_whoever_computes_them() {
        let crew = Crew::default();
        for threads in [1, 2, 5] {
            for count in [0, 1, 2, 7, 1000] {
                let pieces = pool(threads).install(|| crew.share(Squares(count)));
                assert_eq!(pieces, (0..count).map(|k| k * k).collect::<Vec<_>>());
            }
        }
        assert_eq!(crew.share(Squares(3)), [0, 1, 4]);
    }

    /// All threads but the caller's are busy for good, and more tasks are waiting: the caller does it alone, and takes up
    /// none of these tasks meanwhile.
    #[test]
    fn nobody_is_waited_for_who_is_busy() {
        let pool = pool(2);
        let (release, held): (Sender<()>, Receiver<()>) = channel();
        let (begun, has_begun) = channel();
        pool.spawn_fifo(move || {
            let _ = begun.send(());
            let _ = held.recv();
        });
        has_begun.recv_timeout(Duration::from_secs(60)).expect("the task begins");
        let (done, is_done) = channel();
        pool.spawn_fifo(move || {
            let crew = Crew::default();
            for _ in 0..100 {
                assert_eq!(crew.share(Squares(50)).len(), 50);
            }
            assert!(crew.board.expected.load(Ordering::Relaxed) <= 1, "requests pile up");
            let _ = done.send("job");
        });
        let after = channel();
        pool.spawn_fifo(move || {
            let _ = after.0.send(());
        });
        assert_eq!(is_done.recv_timeout(Duration::from_secs(60)), Ok("job"));
        drop(release);
        assert_eq!(after.1.recv_timeout(Duration::from_secs(60)), Ok(()));
    }
}
