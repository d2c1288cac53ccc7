//! Which tools the tests want, and where each can be had. Facts only.

use crate::fetch::{debian::Release, wheel::Wheel};

/// A tool, however it is had.
pub(super) struct Known {
    pub(super) name: &'static str,
    /// The environment variable that names its program.
    pub(super) variable: &'static str,
    /// The program to look for on the PATH.
    pub(super) program: &'static str,
    /// What it is asked for its version, which is the first word of the answer that is one.
    pub(super) question: &'static [&'static str],
    /// The oldest major version that will do.
    pub(super) oldest: u16,
}

/// What is fetched together.
pub(super) struct Kit {
    /// The folder in the cache that holds it.
    pub(super) slot: &'static str,
    /// The names of its tools.
    pub(super) tools: &'static [&'static str],
    pub(super) source: Source,
}

pub(super) enum Source {
    /// Programs, each by its tool's name in the slot.
    Debian(Release),
    /// Packages for the Python that is on the PATH, in the slot's folder [`PACKAGES`].
    Wheels(&'static [Wheel]),
}

pub(super) const PACKAGES: &str = "packages";

pub(super) const KNOWN: [Known; 3] = [
    Known {
        name: super::CLI,
        variable: "REDIS_CLI_BIN",
        program: "redis-cli",
        question: &["--version"],
        // The first that can be told to speak RESP2.
        oldest: 7,
    },
    Known {
        name: super::BENCHMARK,
        variable: "REDIS_BENCHMARK_BIN",
        program: "redis-benchmark",
        question: &["--version"],
        oldest: 6,
    },
    Known {
        name: super::PYTHON,
        variable: "REDIS_PYTHON_BIN",
        program: "python3",
        question: &["-c", "import redis; print(redis.__version__)"],
        // The first to speak RESP3.
        oldest: 5,
    },
];

pub(super) const KITS: [Kit; 2] = [
    Kit {
        slot: "redis-tools-8.0",
        tools: &[super::CLI, super::BENCHMARK],
        source: Source::Debian(Release {
            number: 13,
            codename: "trixie",
            packages: &[
                "redis-tools",
                "libc6",
                "libstdc++6",
                "libgcc-s1",
                "libatomic1",
                "libcap2",
                "libjemalloc2",
                "liblzf1",
                "libssl3t64",
                "libsystemd0",
                "libzstd1",
                "zlib1g",
            ],
            programs: &[
                ("usr/bin/redis-cli", super::CLI),
                ("usr/bin/redis-benchmark", super::BENCHMARK),
            ],
        }),
    },
    Kit {
        slot: "python-redis-7.1",
        tools: &[super::PYTHON],
        source: Source::Wheels(&[
            Wheel {
                requirement: "redis==7.1.0",
                python: "3.11",
                abi: "cp311",
                platform: "manylinux_2_28",
            },
            // Which the other needs below Python 3.11.3.
            Wheel {
                requirement: "async-timeout==5.0.1",
                python: "3.11",
                abi: "cp311",
                platform: "manylinux_2_28",
            },
        ]),
    },
];
