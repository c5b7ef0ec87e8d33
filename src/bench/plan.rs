//! What is measured: configurations, how many pictures of each, and in which order.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::statistics::SplitMix;

/// Blocks that the pictures of one configuration are drawn in. Between two of them all others have their turn, so that what
/// drifts (heat, other load) meets all alike.
pub const ROUNDS: usize = 5;

/// One way to draw the picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Configuration {
    /// Denoising steps.
    pub steps: usize,
    /// Threads of the engine.
    pub threads: usize,
    /// Longest side of the written picture, in pixels.
    pub size: u32,
}

impl std::fmt::Display for Configuration {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let plural = |count: usize| if count == 1 { "" } else { "s" };
        write!(
            out,
            "{} step{}, {} thread{}, {} px",
            self.steps,
            plural(self.steps),
            self.threads,
            plural(self.threads),
            self.size
        )
    }
}

/// How much is drawn of each configuration.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Amount {
    /// N pictures.
    Pictures(usize),
    /// As many as can be drawn in N seconds.
    Seconds(f64),
}

/// What one block draws.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Share {
    /// N pictures.
    Pictures(usize),
    /// At least one, and more until the time is over.
    Time(Duration),
}

/// A run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// All configurations.
    pub configurations: Vec<Configuration>,
    /// Of each.
    pub amount: Amount,
    /// Pictures of each configuration before anything is measured.
    pub warm_up: usize,
    /// Cold starts of each configuration.
    pub cold_starts: usize,
    /// How long the idle power is measured, in seconds.
    pub idle_seconds: f64,
    /// Seed of the order of the configurations.
    pub order_seed: u64,
}

impl Plan {
    /// The blocks in the order in which they are drawn: round, configuration, share. Each round has its own random order.
    pub fn blocks(&self) -> Vec<(usize, usize, Share)> {
        let rounds = match self.amount {
            Amount::Pictures(pictures) => ROUNDS.min(pictures),
            Amount::Seconds(_) => ROUNDS,
        };
        let mut random = SplitMix(self.order_seed);
        let mut blocks = Vec::new();
        for round in 0..rounds {
            for configuration in random.order(self.configurations.len()) {
                blocks.push((round, configuration, self.share(round, rounds)));
            }
        }
        blocks
    }

    fn share(&self, round: usize, rounds: usize) -> Share {
        match self.amount {
            // The first rounds draw one more where the pictures do not divide.
            Amount::Pictures(pictures) => Share::Pictures(pictures / rounds + usize::from(round < pictures % rounds)),
            Amount::Seconds(seconds) => Share::Time(Duration::try_from_secs_f64(seconds / rounds as f64).unwrap_or_default()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(amount: Amount) -> Plan {
        let configuration = |steps| Configuration {
            steps,
            threads: 2,
            size: 128,
        };
        Plan {
            configurations: [1, 2, 4].map(configuration).to_vec(),
            amount,
            warm_up: 1,
            cold_starts: 0,
            idle_seconds: 0.0,
            order_seed: 3,
        }
    }

    #[test]
    fn every_configuration_gets_its_pictures_in_turns() {
        for pictures in [1, 4, 5, 7, 100] {
            let blocks = plan(Amount::Pictures(pictures)).blocks();
            for configuration in 0..3 {
                let of_it = blocks.iter().filter(|block| block.1 == configuration);
                let sum: usize = of_it
                    .map(|block| match block.2 {
                        Share::Pictures(count) => count,
                        Share::Time(_) => 0,
                    })
                    .sum();
                assert_eq!(sum, pictures);
            }
            for (index, turn) in blocks.chunks(3).enumerate() {
                let mut configurations: Vec<usize> = turn.iter().map(|block| block.1).collect();
                configurations.sort_unstable();
                assert_eq!((configurations, turn[0].0), (vec![0, 1, 2], index));
            }
        }
    }

    #[test]
    fn orders_differ_between_rounds_and_repeat_with_the_seed() {
        let order = |plan: &Plan| plan.blocks().iter().map(|block| block.1).collect::<Vec<_>>();
        let first = plan(Amount::Seconds(10.0));
        assert_eq!(order(&first), order(&first.clone()));
        let rounds: std::collections::BTreeSet<_> = order(&first).chunks(3).map(<[usize]>::to_vec).collect();
        assert!(rounds.len() > 1);
        assert_eq!(first.blocks()[0].2, Share::Time(Duration::from_secs(2)));
    }

    #[test]
    fn a_configuration_reads_well() {
        let configuration = Configuration {
            steps: 1,
            threads: 4,
            size: 64,
        };
        assert_eq!(configuration.to_string(), "1 step, 4 threads, 64 px");
    }
}
