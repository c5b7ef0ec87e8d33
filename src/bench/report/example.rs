//! An invented report for tests.

use super::*;
use crate::bench::energy::{Idle, Joules};
use crate::bench::plan::{Amount, Configuration};
use crate::bench::statistics::Summary;
use crate::device::power::{Accuracy, Sample};
use crate::device::processor::State;
use crate::device::processor::counters::Counts;
use crate::device::processor::load::OtherLoad;
use crate::process::Memory;

/// 1 and 2 threads; each picture takes 0.1 s, the first stage a tenth of it.
pub fn report() -> Report {
    let configurations = [1, 2].map(|threads| Configuration {
        steps: 4,
        threads,
        size: 128,
    });
    let pictures: Vec<PictureTime> = (0..200)
        .map(|index| PictureTime {
            configuration: index / 20 % 2,
            round: index / 40,
            window: Interval {
                start: 10.0 + 0.1 * index as f64,
                end: 10.1 + 0.1 * index as f64,
            },
        })
        .collect();
    Report {
        schema: SCHEMA.into(),
        schema_version: SCHEMA_VERSION,
        version: "0.1.0".into(),
        command: "inkstone bench --steps 4".into(),
        started_unix: 1_700_000_000,
        seconds: 31.0,
        validity: Validity {
            valid: true,
            ..Validity::default()
        },
        pack: PackRecord {
            name: "pictogram".into(),
            version: "0.1.0".into(),
            sha256: "ab".repeat(32),
            bytes: 20 << 20,
        },
        request: RequestRecord {
            prompt: "a <red> & \"round\" apple".into(),
            style: Some("3d".into()),
            seed: 1,
            guidance: 1.0,
        },
        plan: Plan {
            configurations: configurations.to_vec(),
            amount: Amount::Pictures(100),
            warm_up: 2,
            cold_starts: 3,
            idle_seconds: 5.0,
            order_seed: 1,
        },
        machine: Machine {
            board: "Raspberry Pi 4 Model B Rev 1.4".into(),
            processor: Some("BCM2711".into()),
            architecture: "aarch64".into(),
            cores: 4,
            memory_bytes: Some(4 << 30),
            kernel: Some("6.12.0".into()),
            engine_kernel: "neon".into(),
            commit: None,
            compiler: None,
            processor_flags: Some("fp asimd".into()),
            turbo: None,
            affinity: Some("0-3".into()),
        },
        processor: processor(),
        power: power(),
        counters_absent: None,
        results: configurations.iter().map(|&configuration| result(configuration)).collect(),
        pictures,
        quality: [1, 2, 4]
            .map(|steps| Quality {
                steps,
                retrieval_at_1: Some(0.6 + 0.03 * steps as f64),
                retrieval_at_5: Some(0.9),
                frechet_distance: Some(0.3 - 0.02 * steps as f64),
            })
            .to_vec(),
    }
}

fn processor() -> ProcessorRecord {
    let moment = |index: usize| ProcessorSample {
        seconds: index as f64,
        megahertz: Some(1500.0),
        celsius: Some(50.0 + index as f64 / 4.0),
        fan_rpm: None,
        throttling: None,
    };
    let state = State {
        megahertz: Some(1500.0),
        governors: vec!["ondemand".into()],
        celsius: Some(50.0),
        load_averages: Some([0.1, 0.2, 0.3]),
        ..State::default()
    };
    ProcessorRecord {
        before: state.clone(),
        after: state,
        // The second is in the midst of the pictures, others follow.
        timeline: [1, 11].into_iter().chain(12..31).map(moment).collect(),
        others: Some(OtherLoad::default()),
    }
}

fn power() -> PowerRecord {
    let sample = |index: usize| {
        let seconds = index as f64 / 10.0;
        Sample {
            seconds,
            watts: if (10.0..30.0).contains(&seconds) { 5.0 } else { 2.0 },
        }
    };
    PowerRecord {
        meter: Some(MeterRecord {
            name: "hwmon:ina219".into(),
            measures: "a shunt".into(),
            rate_hz: 10.0,
            accuracy: Accuracy {
                gain: Some(0.02),
                offset_watts: 0.0,
                resolution_watts: 0.004,
                stated_by: "the data sheet".into(),
            },
            failures: 0,
            first_failure: None,
        }),
        why_not: Vec::new(),
        samples: (0..310).map(sample).collect(),
        idle: Some(Idle {
            watts: 2.0,
            standard_deviation: 0.01,
            samples: 50,
            seconds: 5.0,
        }),
        marker_line: Some(17),
    }
}

/// A stage whose samples scatter around a value.
pub fn stage(name: &str, middle: f64) -> StageResult {
    let samples: Vec<f64> = (0..100)
        .map(|index| middle * (0.98 + 0.04 * f64::from(index * 37 % 100) / 99.0))
        .collect();
    StageResult {
        stage: name.into(),
        milliseconds: Summary::of(&samples).unwrap_or_default(),
        round_medians: samples.chunks(20).map(crate::bench::statistics::median).collect(),
        samples,
    }
}

fn result(configuration: Configuration) -> ConfigurationResult {
    let once = |middle: f64| Summary::of(&[middle, middle * 1.01, middle * 1.02]).unwrap_or_default();
    let whole = 100.0 / configuration.threads as f64;
    let joules = Joules {
        gross: 0.5,
        gross_error: 0.012,
        net: Some(0.3),
        net_error: Some(0.008),
        samples: 100,
    };
    ConfigurationResult {
        pictures_per_second: Some(10.0),
        configuration,
        picture_sha256: vec!["a".repeat(64)],
        stages: vec![
            stage("text_encoder", 0.1 * whole),
            stage("step 1", 0.6 * whole),
            stage("decoder", 0.2 * whole),
            stage("png", 0.1 * whole),
            stage(WHOLE, whole),
        ],
        memory: Some(Memory {
            private_bytes: 30 << 20,
            mapped_bytes: 24 << 20,
        }),
        page_faults: Some(FaultRates { major: 0.0, minor: 12.5 }),
        counts: Some(Counts {
            instructions: 4.5e8,
            cycles: 3e8,
        }),
        energy: Some(EnergyResult {
            method: EnergyMethod::BlocksOfPictures,
            pictures: 100,
            samples: joules.samples,
            gross_joules: joules.gross,
            gross_error: joules.gross_error,
            net_joules: joules.net,
            net_error: joules.net_error,
            spread: None,
        }),
        cold: Some(ColdResult {
            page_cache: "dropped".into(),
            bytes: 20 << 20,
            resident_bytes: 0,
            to_first_step: once(140.0),
            to_first_step_done: once(180.0),
            to_picture: once(260.0),
        }),
    }
}
