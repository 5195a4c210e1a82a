//! Sample times: `{ count = 200 }`, `{ from, to, count, log = true }`, or a list; and their canonical text.

use crate::diagnostic::{Place, Problem, shown};
use crate::document::{Kind, Raw, entry};
use crate::ranges::{Decimal, geometric, linear};
use crate::setting::decimal;

/// Most sample times of a cell.
const MOST: i64 = 1_000_000;

/// Sample times that may wait for the horizon.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum SampleRule {
    /// These.
    Times(Vec<f64>),
    /// `count` times, linear from `from` to the horizon.
    ToHorizon { from: Decimal, count: usize },
}

impl SampleRule {
    /// Reads the value of `sample`.
    pub(crate) fn read(raw: &Raw) -> Result<SampleRule, Problem> {
        match &raw.kind {
            Kind::Array(values) if values.is_empty() => {
                Err(Problem::new(&raw.at, "`sample` is empty: there would be no row of the series"))
            }
            Kind::Array(values) => Ok(SampleRule::Times(listed_times(values)?)),
            Kind::Table(_) => range(raw),
            _ => Err(Problem::new(&raw.at, format!("`sample` must be a table or a list, not {}", raw.found()))
                .help("write `sample = { count = 200 }`, `{ from = 0.1, to = 30, count = 50, log = true }` or a list of times")),
        }
    }

    /// The times, for a horizon. `Err`: what is wrong with them.
    pub(crate) fn times(&self, horizon: f64) -> Result<Vec<f64>, String> {
        let times = match self {
            SampleRule::Times(times) => times.clone(),
            SampleRule::ToHorizon { from, count } => {
                let to = Decimal::shortest(horizon).ok_or_else(|| "the horizon is not finite".to_owned())?;
                if from.nearest() >= horizon {
                    return Err(format!(
                        "`sample` starts at {}, and the horizon is {}",
                        shown(from.nearest()),
                        shown(horizon)
                    ));
                }
                linear(from, &to, *count)
            }
        };
        match times.last() {
            Some(last) if *last > horizon => {
                Err(format!("`sample` reaches t = {}, beyond the horizon {}", shown(*last), shown(horizon)))
            }
            _ => Ok(times),
        }
    }
}

fn listed_times(values: &[Raw]) -> Result<Vec<f64>, Problem> {
    let mut times: Vec<f64> = Vec::with_capacity(values.len());
    for value in values {
        let time = decimal(value, "a sample time")?.nearest();
        if time < 0.0 {
            return Err(Problem::new(
                &value.at,
                format!("a sample time must not be negative, and it is {}", shown(time)),
            ));
        }
        if let Some(last) = times.last().filter(|last| **last >= time) {
            return Err(Problem::new(
                &value.at,
                format!("sample times must ascend, and {} follows {}", shown(time), shown(*last)),
            ));
        }
        times.push(time);
    }
    Ok(times)
}

fn range(raw: &Raw) -> Result<SampleRule, Problem> {
    let range = RangeParts::read(raw, "sample")?;
    let count = range.count;
    if count > MOST as usize {
        return Err(Problem::new(
            &range.count_at,
            format!("`sample` takes at most {MOST} times, not {count}"),
        ));
    }
    if count < 2 {
        return Err(Problem::new(&range.count_at, "a range of sample times needs at least 2 of them")
            .help("for a single time write a list: `sample = [18.0]`"));
    }
    let (from, from_at) = match (&range.from, range.log) {
        (Some((from, at)), _) => (from.clone(), at.clone()),
        (None, false) => {
            (Decimal::read("0").ok_or_else(|| Problem::new(&raw.at, "no number"))?, raw.at.clone())
        }
        (None, true) => {
            return Err(Problem::new(&raw.at, "a geometric range of sample times needs `from`")
                .help("0 has no logarithm: write for instance `from = 0.1`"));
        }
    };
    if from.nearest() < 0.0 {
        return Err(Problem::new(&from_at, "a sample time must not be negative"));
    }
    match (&range.to, range.log) {
        (None, false) => Ok(SampleRule::ToHorizon { from, count }),
        (None, true) => Err(Problem::new(&raw.at, "a geometric range of sample times needs `to`")),
        (Some(_), _) => Ok(SampleRule::Times(range.values(&from)?)),
    }
}

/// The parts of `{ from, to, count, log }`, each where it stands.
pub(crate) struct RangeParts {
    pub(crate) from: Option<(Decimal, Place)>,
    pub(crate) to: Option<(Decimal, Place)>,
    pub(crate) count: usize,
    pub(crate) count_at: Place,
    pub(crate) log: bool,
    at: Place,
}

impl RangeParts {
    /// Reads a range; `key`: whose.
    pub(crate) fn read(raw: &Raw, key: &str) -> Result<RangeParts, Problem> {
        const KEYS: [&str; 4] = ["from", "to", "count", "log"];
        let entries = raw.table(key)?;
        if let Some(unknown) = entries.iter().find(|entry| !KEYS.contains(&entry.key.as_str())) {
            return Err(Problem::new(&unknown.key_at, format!("a range has no `{}`", unknown.key))
                .nearest(&unknown.key, KEYS)
                .help("the distance of its values follows from `count`; a range is `{ from = 0.1, to = 9.0, count = 90 }`, with `log = true` if geometric"));
        }
        let end = |name: &str| match entry(entries, name) {
            None => Ok(None),
            Some(entry) => {
                decimal(&entry.value, &format!("`{name}`")).map(|value| Some((value, entry.value.at.clone())))
            }
        };
        let Some(count) = entry(entries, "count") else {
            return Err(Problem::new(&raw.at, format!("the range of `{key}` has no `count`"))
                .help("a range is `{ from = 0.1, to = 9.0, count = 90 }`"));
        };
        let Kind::Integer(number) = count.value.kind else {
            let message = format!("`count` must be an integer, not {}", count.value.found());
            return Err(Problem::new(&count.value.at, message));
        };
        let allowed = usize::try_from(number).ok().filter(|number| (1..=10_000_000).contains(number));
        let Some(number) = allowed else {
            return Err(Problem::new(
                &count.value.at,
                format!("`count` must be at least 1 and at most 10000000, not {number}"),
            ));
        };
        let log = match entry(entries, "log").map(|entry| &entry.value) {
            None => false,
            Some(Raw { kind: Kind::Boolean(truth), .. }) => *truth,
            Some(other) => {
                return Err(Problem::new(
                    &other.at,
                    format!("`log` must be true or false, not {}", other.found()),
                ));
            }
        };
        let at = raw.at.clone();
        Ok(RangeParts {
            from: end("from")?,
            to: end("to")?,
            count: number,
            count_at: count.value.at.clone(),
            log,
            at,
        })
    }

    /// The values from `from` on; `to` must be there.
    pub(crate) fn values(&self, from: &Decimal) -> Result<Vec<f64>, Problem> {
        let Some((to, to_at)) = &self.to else {
            return Err(Problem::new(&self.at, "the range has no `to`"));
        };
        let (low, high) = (from.nearest(), to.nearest());
        let ends = format!("from {} to {}", shown(low), shown(high));
        if low > high {
            return Err(
                Problem::new(to_at, format!("the range goes down, {ends}")).help("`from` is the smaller end")
            );
        }
        if (low == high) != (self.count == 1) {
            let message = if self.count == 1 {
                format!("one value cannot reach {ends}")
            } else {
                format!("{} values {ends} are all the same", self.count)
            };
            return Err(Problem::new(&self.count_at, message)
                .help("with `count = 1` both ends are the same; otherwise `from` is below `to`"));
        }
        if self.log && low <= 0.0 {
            let at = self.from.as_ref().map_or(&self.at, |(_, at)| at);
            return Err(Problem::new(
                at,
                format!("a geometric range cannot start at {}: it has no logarithm", shown(low)),
            ));
        }
        let values = if self.log { geometric(low, high, self.count) } else { linear(from, to, self.count) };
        if values.windows(2).any(|pair| pair[0] >= pair[1]) {
            return Err(Problem::new(
                &self.count_at,
                format!("{} values {ends} are too close together to differ", self.count),
            ));
        }
        Ok(values)
    }
}

/// The canonical text of ascending numbers: a range if it gives exactly these bits, else a list. Equal numbers have
/// equal text, and the text reads back as the numbers.
pub(crate) fn compact(values: &[f64]) -> String {
    if let (Some(first), Some(last), true) = (values.first(), values.last(), values.len() > 2) {
        let ends = Decimal::shortest(*first).zip(Decimal::shortest(*last));
        let same = |other: &[f64]| values.iter().zip(other).all(|(a, b)| a.to_bits() == b.to_bits());
        let count = values.len();
        if ends.is_some_and(|(from, to)| same(&linear(&from, &to, count))) {
            return format!("{{ from = {first:?}, to = {last:?}, count = {count} }}");
        }
        if *first > 0.0 && same(&geometric(*first, *last, count)) {
            return format!("{{ from = {first:?}, to = {last:?}, count = {count}, log = true }}");
        }
    }
    let listed: Vec<String> = values.iter().map(|value| format!("{value:?}")).collect();
    format!("[{}]", listed.join(", "))
}
