//! The scheduler, driven by what might happen: orders of receipts, failures, drains and walltimes at random.

use std::collections::BTreeMap;

use metasweep_cluster::scheduler::{Assignment, Scheduler, Ticket, Walltime};
use proptest::prelude::*;

type Task = u32;

fn all_now(scheduler: &mut Scheduler<Task>, now: f64) -> Vec<Assignment<Task>> {
    std::iter::from_fn(|| scheduler.assign(now)).collect()
}

#[test]
fn the_most_expensive_task_goes_first_and_equals_in_order() {
    let mut scheduler = Scheduler::new(None);
    scheduler.add_worker(10, 1);
    for (task, cost) in [(0, 1.0), (1, 5.0), (2, 3.0), (3, 5.0), (4, 0.0)] {
        scheduler.add_compute(task, cost, task);
    }
    let order: Vec<Task> = all_now(&mut scheduler, 0.0).iter().map(|given| given.task).collect();
    assert_eq!(order, [1, 3, 2, 0, 4]);
}

#[test]
fn idle_threads_are_served_before_anybody_prefetches() {
    let mut scheduler = Scheduler::new(None);
    for _ in 0..3 {
        scheduler.add_worker(2, 1);
    }
    for task in 0..20 {
        scheduler.add_compute(task, 1.0, 0);
    }
    let workers: Vec<usize> = all_now(&mut scheduler, 0.0).iter().map(|given| given.worker).collect();
    // Two threads each, then one prefetched each.
    assert_eq!(workers, [0, 1, 2, 0, 1, 2, 0, 1, 2]);
    assert_eq!((scheduler.out(), scheduler.waiting()), (9, 11));
}

#[test]
fn upkeep_goes_first_but_not_on_all_threads() {
    let mut scheduler = Scheduler::new(None);
    scheduler.add_worker(4, 2);
    for task in 0..8 {
        scheduler.add_compute(task, 1.0, 0);
        scheduler.add_upkeep(100 + task);
    }
    let order: Vec<Task> = all_now(&mut scheduler, 0.0).iter().map(|given| given.task).collect();
    assert_eq!(order, [100, 101, 0, 1, 2]);
}

#[test]
fn a_worker_without_threads_gets_nothing() {
    let mut scheduler = Scheduler::new(None);
    scheduler.add_worker(0, 0);
    scheduler.add_worker(1, 1);
    scheduler.add_compute(0, 1.0, 0);
    scheduler.add_upkeep(1);
    assert!(all_now(&mut scheduler, 0.0).iter().all(|given| given.worker == 1));
}

#[test]
fn what_a_lost_worker_had_is_given_to_others() {
    let mut scheduler = Scheduler::new(None);
    scheduler.add_worker(1, 1);
    let other = scheduler.add_worker(1, 1);
    for task in 0..4 {
        scheduler.add_compute(task, 1.0, 0);
    }
    assert_eq!(all_now(&mut scheduler, 0.0).len(), 4);
    scheduler.lost(0);
    assert_eq!((scheduler.out(), scheduler.waiting()), (2, 2));
    assert!(scheduler.finished(0, Ticket(1), 1.0).is_err(), "it was taken from worker 0");
    for ticket in [2, 4] {
        scheduler.finished(other, Ticket(ticket), 1.0).unwrap();
    }
    let again = all_now(&mut scheduler, 0.0);
    assert_eq!(again.iter().map(|given| given.worker).collect::<Vec<_>>(), [other, other]);
}

#[test]
fn reports_of_tasks_not_given_are_refused() {
    let mut scheduler = Scheduler::new(None);
    scheduler.add_worker(1, 1);
    scheduler.add_worker(1, 1);
    scheduler.add_compute(0, 1.0, 0);
    let given = scheduler.assign(0.0).unwrap();
    assert!(scheduler.finished(1 - given.worker, given.ticket, 1.0).is_err());
    assert!(scheduler.finished(given.worker, given.ticket, 1.0).is_ok());
    assert!(scheduler.finished(given.worker, given.ticket, 1.0).is_err(), "it has ended already");
}

#[test]
fn near_the_end_only_what_fits_is_begun() {
    let walltime = Walltime { end: 110.0, margin: 10.0 };
    let mut scheduler = Scheduler::new(Some(walltime));
    scheduler.add_worker(8, 1);
    for (task, cost) in [(0, 60.0), (1, 30.0), (2, 500.0)] {
        scheduler.add_compute(task, cost, task);
    }
    // At 50 of 100 s: 60 s do not fit, 30 s do; 500 s never will, so they are begun and checkpointed.
    let order: Vec<Task> = all_now(&mut scheduler, 50.0).iter().map(|given| given.task).collect();
    assert_eq!(order, [2, 1]);
    assert!(!scheduler.stopped(50.0));
    scheduler.finished(0, Ticket(3), 500.0).unwrap();
    scheduler.finished(0, Ticket(2), 30.0).unwrap();
    assert!(scheduler.stopped(80.0) && !scheduler.done(), "what is left does not fit");
    scheduler.add_compute(3, 0.1, 3);
    assert!(scheduler.assign(100.0).is_none(), "nothing after the last call");
}

#[test]
fn real_costs_change_the_order() {
    let mut scheduler = Scheduler::new(None);
    scheduler.add_worker(1, 1);
    // Class 0 is predicted at 2 and takes 0.2; class 1 is predicted at 1 and takes 1.
    for task in 0..8 {
        scheduler.add_compute(task, 100.0, task % 2);
    }
    for _ in 0..7 {
        let given = scheduler.assign(0.0).unwrap();
        let seconds = if given.task % 2 == 0 { 10.0 } else { 100.0 };
        scheduler.finished(given.worker, given.ticket, seconds).unwrap();
    }
    scheduler.add_compute(10, 2.0, 0);
    scheduler.add_compute(11, 1.0, 1);
    let expected: Vec<Task> = std::iter::from_fn(|| {
        let given = scheduler.assign(0.0)?;
        scheduler.finished(given.worker, given.ticket, 1.0).unwrap();
        Some(given.task)
    })
    .collect();
    assert_eq!(expected, [7, 11, 10]);
}

/// What happens to the task at some place among those that are out.
#[derive(Clone, Debug)]
enum Event {
    Finish(usize, f64),
    Return(usize),
    Lose(usize),
    Add(f64),
    AddUpkeep,
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let event = prop_oneof![
        8 => (any::<usize>(), 0.0..3.0).prop_map(|(which, seconds)| Event::Finish(which, seconds)),
        2 => any::<usize>().prop_map(Event::Return),
        1 => any::<usize>().prop_map(Event::Lose),
        2 => (0.0..9.0).prop_map(Event::Add),
        2 => Just(Event::AddUpkeep),
    ];
    prop::collection::vec(event, 0..200)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Whatever the order of reports: each task finishes exactly once, nobody holds more than threads + 1, nothing waits
    /// while a thread idles, and the run comes to its end.
    #[test]
    fn every_task_is_done_exactly_once(
        threads in prop::collection::vec(1_u32..4, 1..5),
        costs in prop::collection::vec(0.0..9.0, 0..60),
        events in events(),
    ) {
        let mut scheduler = Scheduler::new(None);
        for &threads in &threads {
            scheduler.add_worker(threads, 1);
        }
        let mut tasks = 0;
        for cost in costs {
            scheduler.add_compute(tasks, cost, tasks % 5);
            tasks += 1;
        }
        let mut out: Vec<Assignment<Task>> = Vec::new();
        let mut finished: BTreeMap<Task, u32> = BTreeMap::new();
        let mut alive = vec![true; threads.len()];
        let finish_the_rest = std::iter::repeat_n(Event::Finish(0, 1.0), 1000);
        for event in events.into_iter().chain(finish_the_rest) {
            out.extend(all_now(&mut scheduler, 0.0));
            for (worker, &threads) in threads.iter().enumerate() {
                let in_hand = out.iter().filter(|given| given.worker == worker).count();
                prop_assert!(in_hand <= threads as usize + 1);
                let idle = alive[worker] && in_hand < threads as usize;
                // Upkeep may wait for its turn on a worker; computing never does.
                prop_assert!(!idle || scheduler.waiting() == 0 || in_hand > 0);
            }
            match event {
                Event::Finish(which, seconds) if !out.is_empty() => {
                    let given = out.swap_remove(which % out.len());
                    scheduler.finished(given.worker, given.ticket, seconds).unwrap();
                    *finished.entry(given.task).or_default() += 1;
                }
                Event::Return(which) if !out.is_empty() => {
                    let given = out.swap_remove(which % out.len());
                    scheduler.returned(given.worker, given.ticket).unwrap();
                }
                Event::Lose(which) if alive.iter().filter(|&&alive| alive).count() > 1 => {
                    let worker = which % threads.len();
                    alive[worker] = false;
                    scheduler.lost(worker);
                    out.retain(|given| given.worker != worker);
                }
                Event::Add(cost) => {
                    scheduler.add_compute(tasks, cost, tasks % 5);
                    tasks += 1;
                }
                Event::AddUpkeep => {
                    scheduler.add_upkeep(tasks);
                    tasks += 1;
                }
                _ => {}
            }
        }
        prop_assert!(scheduler.done() && scheduler.stopped(0.0));
        prop_assert_eq!(finished.len(), tasks as usize);
        prop_assert!(finished.values().all(|&times| times == 1));
    }

    /// Once draining, nothing more is handed out, and the run stops when what is out has ended, either way.
    #[test]
    fn a_drain_ends(count in 0_u32..40, returned in prop::collection::vec(any::<bool>(), 12)) {
        let mut scheduler = Scheduler::new(None);
        for _ in 0..4 {
            scheduler.add_worker(2, 1);
        }
        for task in 0..count {
            scheduler.add_compute(task, f64::from(task), 0);
        }
        let out = all_now(&mut scheduler, 0.0);
        scheduler.drain();
        for (given, returned) in out.iter().zip(returned) {
            prop_assert!(scheduler.assign(0.0).is_none());
            prop_assert!(!scheduler.stopped(0.0));
            if returned {
                scheduler.returned(given.worker, given.ticket).unwrap();
            } else {
                scheduler.finished(given.worker, given.ticket, 1.0).unwrap();
            }
        }
        prop_assert!(scheduler.assign(0.0).is_none() && scheduler.stopped(0.0));
    }

    /// The tasks of one worker come in order of cost, whatever was learned in between about other classes.
    #[test]
    fn costs_descend(costs in prop::collection::vec(0.0..100.0, 1..60)) {
        let mut scheduler = Scheduler::new(None);
        scheduler.add_worker(1, 1);
        for (task, &cost) in costs.iter().enumerate() {
            scheduler.add_compute(task as Task, cost, 0);
        }
        let mut last = f64::INFINITY;
        while let Some(given) = scheduler.assign(0.0) {
            let cost = costs[given.task as usize];
            prop_assert!(cost <= last);
            last = cost;
            scheduler.finished(given.worker, given.ticket, cost * 1.5).unwrap();
        }
        prop_assert!(scheduler.done());
    }
}
