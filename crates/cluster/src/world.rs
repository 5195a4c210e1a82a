//! The lines between ranks, over MPI. Only the main thread uses it.
//!
//! * Receiving probes and never blocks: the loops sleep in between instead of spinning inside MPI.
//! * Sending never blocks either. Two ranks that each wait for the other to receive a long message would wait for
//!   ever, so each message is sent in the background, and its bytes are kept until MPI has taken them.
//! * `MPI_Finalize` waits for every rank. It is called only once all of them have said goodbye; on any other way out
//!   the process ends without it, and the launcher ends the rest.

use std::mem::ManuallyDrop;
use std::time::{Duration, Instant};

use mpi::environment::Universe;
use mpi::request::{Request, StaticScope};
use mpi::topology::SimpleCommunicator;
use mpi::traits::{Communicator, Destination, MatchedReceiveVec, Source};
use mpi::{Rank, Threading};

use crate::abort;
use crate::launcher::{Launched, Mismatch, agree, reachable};
use crate::links::{Line, Peers};
use crate::messages::{Down, TAG_DOWN, TAG_UP, Up, decode, encode};
use crate::work::{Cargo, Failure};

/// What has been sent may take so long to leave before a clean end is given up.
const LEAVE: Duration = Duration::from_secs(10);

/// A message on its way.
struct Sending {
    request: Request<'static, [u8], StaticScope>,
    bytes: *mut [u8],
}

/// This rank's place among all.
pub struct World {
    universe: ManuallyDrop<Universe>,
    communicator: SimpleCommunicator,
    rank: usize,
    size: usize,
    sending: Vec<Sending>,
}

impl World {
    /// Initializes MPI, which the environment says `launched` us.
    ///
    /// # Errors
    /// If the launcher and the library do not match.
    pub fn join(launched: &Launched) -> Result<Self, Mismatch> {
        let library = mpi::environment::library_version().unwrap_or_default();
        reachable(launched, &library)?;
        // Only the main thread calls MPI, but not only this library's: Serialized keeps an abort from elsewhere legal.
        let Some((universe, _)) = mpi::initialize_with_threading(Threading::Serialized) else {
            let message = "MPI has been initialized by somebody else in this process.".to_owned();
            return Err(Mismatch { message, speak: true });
        };
        let communicator = universe.world();
        let (rank, size) = (communicator.rank() as usize, communicator.size() as usize);
        abort::register(|code| SimpleCommunicator::world().abort(code));
        let universe = ManuallyDrop::new(universe);
        // A mismatch leaves without MPI_Finalize, which might wait for ranks that do not exist.
        agree(launched, rank, size, &library)?;
        Ok(Self { universe, communicator, rank, size, sending: Vec::new() })
    }

    /// Our number.
    #[must_use]
    pub fn rank(&self) -> usize {
        self.rank
    }

    /// Ranks of the job.
    #[must_use]
    pub fn size(&self) -> usize {
        self.size
    }

    /// Sends `bytes` in the background.
    fn post(&mut self, to: usize, bytes: Vec<u8>, tag: i32) {
        self.collect_sent();
        let bytes: *mut [u8] = Box::into_raw(bytes.into_boxed_slice());
        // SAFETY: the allocation was just leaked, and nobody writes to it or frees it before MPI is done with it
        // (`collect_sent`); if that never happens it stays leaked.
        #[allow(unsafe_code)]
        let shared: &'static [u8] = unsafe { &*bytes };
        let process =
            self.communicator.process_at_rank(Rank::try_from(to).expect("MPI counts ranks in this type"));
        let request = process.immediate_send_with_tag(StaticScope, shared, tag);
        self.sending.push(Sending { request, bytes });
    }

    /// Frees the messages that have left.
    fn collect_sent(&mut self) {
        let sending = std::mem::take(&mut self.sending);
        self.sending = sending.into_iter().filter_map(Sending::unless_sent).collect();
    }

    fn take(&mut self, tag: i32) -> Option<(usize, Vec<u8>)> {
        let probed = self.communicator.any_process().immediate_matched_probe_with_tag(tag)?;
        let (bytes, status) = probed.matched_receive_vec::<u8>();
        Some((status.source_rank() as usize, bytes))
    }

    /// Leaves MPI, together with all other ranks. Says whether it could: not if a message could not be sent.
    #[must_use]
    pub fn leave(mut self) -> bool {
        let until = Instant::now() + LEAVE;
        while !self.sending.is_empty() {
            if Instant::now() > until {
                return false;
            }
            std::thread::sleep(Duration::from_millis(1));
            self.collect_sent();
        }
        // SAFETY: `self` is not used afterwards, and its own drop does not touch the universe.
        #[allow(unsafe_code)]
        unsafe {
            ManuallyDrop::drop(&mut self.universe);
        }
        true
    }

    /// Ends all ranks.
    pub fn abort(&self, exit_code: u8) -> ! {
        self.communicator.abort(i32::from(exit_code))
    }
}

impl Drop for World {
    /// A request that is dropped panics; what has not left by now is given up.
    fn drop(&mut self) {
        for sending in self.sending.drain(..) {
            std::mem::forget(sending.request);
        }
    }
}

impl Sending {
    fn unless_sent(self) -> Option<Self> {
        match self.request.test() {
            Ok(_) => {
                // SAFETY: it came from `Box::into_raw` in `post`, and MPI, the only reader, is done with it.
                #[allow(unsafe_code)]
                drop(unsafe { Box::from_raw(self.bytes) });
                None
            }
            Err(request) => Some(Self { request, bytes: self.bytes }),
        }
    }
}

impl<T: Cargo, R: Cargo> Peers<T, R> for World {
    fn count(&self) -> usize {
        self.size - 1
    }
    fn send(&mut self, member: usize, message: &Down<T>) -> Result<(), Failure> {
        let bytes = encode(message)?;
        self.post(member, bytes, TAG_DOWN);
        Ok(())
    }
    fn receive(&mut self) -> Result<Option<(usize, Up<R>)>, Failure> {
        self.collect_sent();
        self.take(TAG_UP).map(|(from, bytes)| Ok((from, decode(&bytes)?))).transpose()
    }
}

impl<T: Cargo, R: Cargo> Line<T, R> for World {
    fn send(&mut self, message: &Up<R>) -> Result<(), Failure> {
        let bytes = encode(message)?;
        self.post(0, bytes, TAG_UP);
        Ok(())
    }
    fn receive(&mut self) -> Result<Option<Down<T>>, Failure> {
        self.collect_sent();
        self.take(TAG_DOWN).map(|(_, bytes)| decode(&bytes)).transpose()
    }
}
