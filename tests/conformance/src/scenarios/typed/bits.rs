//! Bits of values, numbers made of them, and estimates of how many different elements there are.

use redis_core::cmd::Bitwise;
use redis_core::types::{BitGet, BitOffset, BitOperation, BitType, Overflow};
use redis_core::{Commands, Execute, cmd};

use crate::scenario::{Context, Outcome, Scenario, failed};
use crate::subject::Subject;

pub(super) fn list<S: Subject>() -> Vec<Scenario<S>> {
    vec![
        Scenario::new(bits_are_set_counted_and_found),
        Scenario::new(values_are_combined_bit_by_bit),
        Scenario::new(numbers_of_any_width_are_read_and_written),
        Scenario::new(different_elements_are_estimated),
    ]
}

async fn bits_are_set_counted_and_found<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client()?;
    client.set("k", [0x00, 0xf0, 0xff]).await?;
    assert!(!client.getbit("k", 0).await? && client.getbit("k", 8).await?);
    assert!(!client.setbit("k", 0, true).await?);
    assert!(client.setbit("k", 0, false).await?);
    assert_eq!(client.bitcount("k").await?, 12);
    assert_eq!(client.execute(cmd::bitcount("k").range(1, -2)).await?, 4);
    assert_eq!(client.bitpos("k", true).await?, 8);
    assert_eq!(client.bitpos("none", true).await?, -1);
    assert_eq!(client.execute(cmd::bitpos("k", false).start(1)).await?, 12);
    assert_eq!(client.execute(cmd::bitpos("k", false).start(2).end(-1)).await?, -1);
    if cx.redis_since(7, 0) || cx.valkey_since(7, 2) {
        assert_eq!(client.execute(cmd::bitcount("k").range(0, 9).bit()).await?, 2);
        assert_eq!(client.execute(cmd::bitcount("k").range(0, 1).byte()).await?, 4);
        assert_eq!(client.execute(cmd::bitpos("k", true).start(9).end(12).bit()).await?, 9);
        assert_eq!(client.execute(cmd::bitpos("k", true).start(2).end(2).byte()).await?, 16);
    }
    Ok(())
}

async fn values_are_combined_bit_by_bit<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client()?;
    client.mset([("a", [0b1100_u8]), ("b", [0b1010]), ("c", [0b0001])]).await?;
    let mut expected =
        vec![(Bitwise::And, 0b1000_u8), (Bitwise::Or, 0b1110), (Bitwise::Xor, 0b0110)];
    if cx.redis_since(8, 2) {
        expected.extend([
            (Bitwise::Diff, 0b0100),
            (Bitwise::Diff1, 0b0010),
            (Bitwise::Andor, 0b1000),
            (Bitwise::One, 0b0110),
        ]);
    }
    for (operation, bits) in expected {
        cx.step(format!("{operation:?}"));
        assert_eq!(client.bitop(operation, "d", ["a", "b"]).await?, 1);
        assert_eq!(client.get::<Vec<u8>>("d").await?, Some(vec![bits]), "{operation:?}");
    }
    assert_eq!(client.bitop(Bitwise::Not, "d", "a").await?, 1);
    assert_eq!(client.get::<Vec<u8>>("d").await?, Some(vec![!0b1100]));
    cx.saw("NOT of two", failed(client.bitop(Bitwise::Not, "d", ["a", "b"]).await)?);
    Ok(())
}

async fn numbers_of_any_width_are_read_and_written<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client()?;
    let (u4, i8) = (BitType::Unsigned(4), BitType::Signed(8));
    let written = [
        BitOperation::set(u4, 0, 15),
        BitOperation::increment(u4, 0, 2).overflow(Overflow::Wrap),
        BitOperation::set(u4, BitOffset::Index(1), 14),
        BitOperation::increment(u4, BitOffset::Index(1), 5).overflow(Overflow::Saturate),
        BitOperation::increment(u4, BitOffset::Index(1), 1).overflow(Overflow::Fail),
        BitOperation::set(i8, 8, 200).overflow(Overflow::Wrap),
        BitOperation::get(i8, 8),
    ];
    let got = client.bitfield("k", written).await?;
    assert_eq!(got, [Some(0), Some(1), Some(0), Some(15), None, Some(0), Some(-56)]);
    cx.saw("BITFIELD", got);
    for overflow in [Overflow::Wrap, Overflow::Saturate] {
        let set = BitOperation::set(u4, BitOffset::Index(4), 3).overflow(overflow);
        client.bitfield("k", [set]).await?;
    }
    let failing = BitOperation::set(u4, BitOffset::Index(4), 99).overflow(Overflow::Fail);
    assert_eq!(client.bitfield("k", [failing]).await?, [None]);
    let reads = [BitGet::new(u4, 0), BitGet::new(i8, BitOffset::Index(1)), BitGet::new(i8, 999)];
    assert_eq!(client.bitfield_ro("k", reads).await?, [1, -56, 0]);
    let (no_operations, no_reads): ([BitOperation; 0], [BitGet; 0]) = ([], []);
    assert_eq!(client.bitfield("k", no_operations).await?, []);
    assert!(client.bitfield_ro("k", no_reads).await?.is_empty());
    Ok(())
}

async fn different_elements_are_estimated<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client()?;
    assert!(client.pfadd("a", ["x", "y"]).await? && !client.pfadd("a", "x").await?);
    assert!(client.pfadd("b", [""; 0]).await? && !client.pfadd("b", [""; 0]).await?);
    assert!(client.pfadd("b", ["y", "z"]).await?);
    assert_eq!((client.pfcount("a").await?, client.pfcount(["a", "b", "none"]).await?), (2, 3));
    client.pfmerge("d", ["a", "b"]).await?;
    client.pfmerge("d", [""; 0]).await?;
    assert_eq!(client.pfcount("d").await?, 3);
    cx.saw("no estimate", {
        client.set("text", "text").await?;
        failed(client.pfcount("text").await)?
    });
    Ok(())
}
