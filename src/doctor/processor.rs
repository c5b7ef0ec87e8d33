//! Board, processor and int8 kernel.

use super::Finding;
use super::machine::Machine;
use crate::device::board::{Board, Revision};
use crate::engine::{kernels, selected_kernel};

/// Cores by `CPU part` of implementer 0x41 (Arm): `MIDR_EL1.PartNum` in the cores' technical reference manuals, as in the
/// kernel's `arch/arm64/include/asm/cputype.h`; and whether they can run 64-bit programs.
const CORES: [(u32, &str, bool); 11] = [
    (0xB76, "ARM1176", false),
    (0xC07, "Cortex-A7", false),
    (0xC0F, "Cortex-A15", false),
    (0xD03, "Cortex-A53", true),
    (0xD04, "Cortex-A35", true),
    (0xD05, "Cortex-A55", true),
    (0xD07, "Cortex-A57", true),
    (0xD08, "Cortex-A72", true),
    (0xD0A, "Cortex-A75", true),
    (0xD0B, "Cortex-A76", true),
    (0xD41, "Cortex-A78", true),
];
const ARM: u32 = 0x41;

/// Kernels and the features that they need, by the names of `/proc/cpuinfo`, the fastest first for each architecture.
const KERNELS: [(&str, &[&str]); 6] = [
    ("avx512-vnni", &["avx512f", "avx512_vnni"]),
    ("avx-vnni", &["avx2", "avx_vnni"]),
    ("avx2", &["avx2"]),
    ("neon-dotprod", &["asimddp"]),
    ("neon", &["asimd"]),
    // 32-bit systems have other names for the same instructions.
    ("neon", &["neon", "vfpv4"]),
];

/// The relevant content of `/proc/cpuinfo`.
#[derive(Debug, Default, PartialEq, Eq)]
struct Processor {
    cores: usize,
    /// The cores' design, on ARM.
    core: Option<&'static str>,
    runs_64_bits: bool,
    name: Option<String>,
    features: Vec<String>,
}

impl Processor {
    fn parse(text: &str) -> Processor {
        let fields = || text.lines().filter_map(|line| line.split_once(':'));
        let field = |name: &str| fields().find(|(key, _)| key.trim() == name).map(|(_, value)| value.trim());
        let number = |name: &str| u32::from_str_radix(field(name)?.strip_prefix("0x")?, 16).ok();
        let part = number("CPU part").filter(|_| number("CPU implementer") == Some(ARM));
        let known = CORES.iter().find(|(number, ..)| Some(*number) == part);
        let features = field("Features").or_else(|| field("flags")).unwrap_or_default();
        Processor {
            cores: fields().filter(|(key, _)| key.trim() == "processor").count(),
            core: known.map(|(_, name, _)| *name),
            runs_64_bits: known.is_some_and(|(.., runs)| *runs),
            name: field("model name").map(str::to_owned),
            features: features.split_whitespace().map(str::to_owned).collect(),
        }
    }

    fn knows(&self, features: &[&str]) -> bool {
        features.iter().all(|feature| self.features.iter().any(|known| known == feature))
    }

    /// The fastest kernel for this processor's features, and the features that it needs.
    fn kernel(&self) -> (&'static str, &'static [&'static str]) {
        KERNELS
            .into_iter()
            .find(|(_, needs)| self.knows(needs))
            .unwrap_or(("portable", &[]))
    }

    /// Its features that any kernel uses.
    fn useful(&self) -> Vec<&'static str> {
        let mut useful: Vec<&str> = KERNELS.iter().flat_map(|(_, needs)| needs.iter().copied()).collect();
        useful.retain(|feature| self.knows(&[feature]));
        useful.sort_unstable();
        useful.dedup();
        useful
    }
}

pub(super) fn examine(machine: &Machine) -> Vec<Finding> {
    let processor = Processor::parse(&machine.text("proc/cpuinfo").unwrap_or_default());
    let mut findings = vec![board(machine), cores(&processor), kernel(machine, &processor)];
    findings.extend(system(&processor));
    findings
}

fn board(machine: &Machine) -> Finding {
    let board = Board::read(machine.root());
    Finding::ok("board", board.to_string())
        .figure("model", board.model.clone())
        .figure("chip", board.revision.and_then(Revision::chip))
        .figure("revision", board.revision.map(|revision| format!("{:x}", revision.0)))
        .figure("is_raspberry_pi", board.is_raspberry_pi())
}

fn cores(processor: &Processor) -> Finding {
    let name = processor.core.or(processor.name.as_deref()).unwrap_or("unknown processor");
    let useful = processor.useful();
    let known = if useful.is_empty() {
        "no int8 instructions".to_owned()
    } else {
        useful.join(", ")
    };
    Finding::ok("processor", format!("{} × {name}; {known}", processor.cores))
        .figure("cores", processor.cores)
        .figure("core", name)
        .figure("features", processor.features.clone())
}

fn kernel(machine: &Machine, processor: &Processor) -> Finding {
    let expected = processor.kernel();
    if !machine.is_this() {
        return Finding::ok("kernel", format!("{}, {}", expected.0, reason(expected.1)))
            .figure("kernel", expected.0)
            .figure("available", Vec::<&str>::new())
            .figure("forced", false);
    }
    let names = kernels();
    let forced = std::env::var_os("INKSTONE_KERNEL").is_some();
    let finding = match selected_kernel() {
        Err(error) => {
            return Finding::fault("kernel", error.to_string())
                .fix("unset INKSTONE_KERNEL")
                .figure("available", names)
                .figure("forced", true);
        }
        Ok(chosen) if chosen == names[0] => Finding::ok("kernel", said(chosen, expected, forced)).figure("kernel", chosen),
        Ok(chosen) => Finding::warning("kernel", format!("{}, selected by INKSTONE_KERNEL; {} is faster", chosen, names[0]))
            .fix("unset INKSTONE_KERNEL")
            .figure("kernel", chosen),
    };
    finding.figure("available", names).figure("forced", forced)
}

fn said(name: &str, expected: (&str, &[&str]), forced: bool) -> String {
    let why = if name == expected.0 {
        reason(expected.1)
    } else {
        "detected at run time".to_owned()
    };
    let also = if forced { "; INKSTONE_KERNEL selects the same" } else { "" };
    format!("{name}, {why}{also}")
}

fn reason(features: &[&str]) -> String {
    if features.is_empty() {
        "because the processor has none of the instructions that the others need".into()
    } else {
        format!("the fastest for a processor with {}", features.join(" and "))
    }
}

/// 32-bit programs are slower on a 64-bit processor.
fn system(processor: &Processor) -> Option<Finding> {
    let bits = usize::BITS;
    (bits < 64 && processor.runs_64_bits).then(|| {
        Finding::note("system", "32-bit program on a 64-bit processor")
            .fix("install the 64-bit Raspberry Pi OS Lite, which draws faster")
            .figure("program_bits", bits)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn features_decide_the_kernel() {
        let with = |features: &str| Processor::parse(&format!("processor\t: 0\nFeatures\t: {features}\n")).kernel().0;
        assert_eq!(with("fp asimd evtstrm crc32 cpuid"), "neon");
        assert_eq!(
            with("fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid asimdrdm lrcpc dcpop asimddp"),
            "neon-dotprod"
        );
        assert_eq!(
            with("half thumb fastmult vfp edsp neon vfpv3 tls vfpv4 idiva idivt vfpd32 lpae evtstrm crc32"),
            "neon"
        );
        assert_eq!(with("half thumb fastmult vfp edsp java tls"), "portable");
        let x86 = |flags: &str| Processor::parse(&format!("flags\t\t: {flags}\n")).kernel().0;
        assert_eq!(
            (x86("fpu avx avx2 avx512f"), x86("avx2 avx512f avx512_vnni"), x86("avx2 avx_vnni")),
            ("avx2", "avx512-vnni", "avx-vnni")
        );
    }

    #[test]
    fn cores_are_known_by_their_part() {
        let text =
            "processor\t: 0\nCPU implementer\t: 0x41\nCPU part\t: 0xd0b\n\nprocessor\t: 1\nCPU implementer\t: 0x41\nCPU part\t: 0xd0b\n";
        let processor = Processor::parse(text);
        assert_eq!(
            (processor.cores, processor.core, processor.runs_64_bits),
            (2, Some("Cortex-A76"), true)
        );
        assert_eq!(Processor::parse("CPU implementer\t: 0x61\nCPU part\t: 0xd0b\n").core, None);
    }

    /// The table above and the engine's detection agree on this machine.
    #[test]
    #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
    fn the_engine_chooses_the_same_here() {
        let processor = Processor::parse(&std::fs::read_to_string("/proc/cpuinfo").unwrap());
        assert_eq!(processor.kernel().0, kernels()[0]);
    }
}
