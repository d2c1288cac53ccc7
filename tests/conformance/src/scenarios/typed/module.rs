//! Vector sets.

use std::collections::BTreeSet;

use redis_core::types::{Quantization, RawVector, ScoredElement, Vector, VectorQuery};
use redis_core::{Commands, Execute, cmd};

use crate::scenario::{Context, Outcome, Scenario, failed};
use crate::subject::Subject;

pub(super) fn list<S: Subject>() -> Vec<Scenario<S>> {
    vec![
        Scenario::new(vectors_are_added_and_returned).needs_command("VADD"),
        Scenario::new(vectors_are_kept_as_asked).needs_command("VADD"),
        Scenario::new(elements_have_attributes_and_neighbours).needs_command("VADD"),
        Scenario::new(similar_elements_are_found).needs_command("VSIM"),
    ]
}

async fn vectors_are_added_and_returned<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client()?;
    assert!(client.vadd("v", [1.0_f32, 0.0], "a").await?);
    assert!(client.vadd("v", vec![0.0_f64, 1.0], "b").await?);
    assert!(!client.vadd("v", Vector::values([0.0, 1.0]), "b").await?);
    assert!(client.execute(cmd::vadd("v", [-1.0_f64, 0.0], "c").cas().ef(50)).await?);
    assert_eq!((client.vcard("v").await?, client.vcard("none").await?), (3, 0));
    assert_eq!(client.vdim("v").await?, 2);
    cx.saw("VDIM of nothing", failed(client.vdim("none").await)?);
    assert_eq!(client.execute(cmd::vemb("v", "a")).await?, Some(vec![1.0, 0.0]));
    assert_eq!(client.execute(cmd::vemb("v", "none")).await?, None);
    if cx.has("VISMEMBER") {
        assert!(client.vismember("v", "a").await? && !client.vismember("v", "z").await?);
    }
    cx.step("elements at random");
    let all = BTreeSet::from(["a", "b", "c"].map(str::to_owned));
    let one: Option<String> = client.vrandmember("v").await?;
    assert!(one.is_some_and(|one| all.contains(&one)));
    assert_eq!(client.vrandmember::<String>("none").await?, None);
    let some = client.execute(cmd::vrandmember::<String>("v").count(9)).await?;
    assert_eq!(some.into_iter().collect::<BTreeSet<_>>(), all);
    assert_eq!(client.execute(cmd::vrandmember::<String>("v").count(-9)).await?.len(), 9);
    if cx.has("VRANGE") {
        cx.step("elements in their order");
        assert_eq!(client.vrange::<String>("v", "-", "+").await?, ["a", "b", "c"]);
        assert_eq!(client.vrange::<String>("v", "[a", "(c").await?, ["a", "b"]);
        let two = cmd::vrange::<String>("v", "(a", "+").count(1);
        assert_eq!(client.execute(two).await?, ["b"]);
        assert_eq!(client.vrange::<String>("none", "-", "+").await?, [""; 0]);
    }
    assert!(client.vrem("v", "a").await? && !client.vrem("v", "a").await?);
    Ok(())
}

async fn vectors_are_kept_as_asked<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client()?;
    let three = || [3.0_f64, 4.0];
    client.execute(cmd::vadd("f32", three(), "a").noquant().m(4)).await?;
    client.execute(cmd::vadd("int8", three(), "a").q8()).await?;
    client.execute(cmd::vadd("bin", three(), "a").bin()).await?;
    client.execute(cmd::vadd("less", [1.0, 2.0, 3.0, 4.0_f32], "a").reduce(2).noquant()).await?;
    let raw = async |key: &str| -> Result<RawVector, Box<dyn std::error::Error + Send + Sync>> {
        let raw = client.execute(cmd::vemb(key, "a").raw()).await?.ok_or("there is no vector")?;
        cx.saw(key, &raw);
        Ok(raw)
    };
    let f32s = raw("f32").await?;
    assert_eq!(f32s.bytes, [0.6_f32.to_le_bytes(), 0.8_f32.to_le_bytes()].concat());
    assert_eq!((f32s.norm, f32s.range), (5.0, None));
    let int8 = raw("int8").await?;
    assert_eq!((&int8.quantization, int8.bytes.len()), (&Quantization::Int8, 2));
    assert!(int8.range.is_some_and(|range| (range - 0.8).abs() < 1e-6));
    assert_eq!(raw("bin").await?.quantization, Quantization::Binary);
    assert_eq!(client.execute(cmd::vemb("f32", "none").raw()).await?, None);

    let mut info = client.vinfo("f32").await?.ok_or("there is no set")?;
    assert_eq!((&info.quant_type, info.hnsw_m, info.size), (&Quantization::None, 4, 1));
    assert_eq!((info.vector_dim, info.projection_input_dim, info.attributes_count), (2, 0, 0));
    // The sets of a server are numbered, and an element's layers are drawn.
    (info.vset_uid, info.max_level) = (0, 0);
    cx.saw("VINFO", info);
    let less = client.vinfo("less").await?.ok_or("there is no set")?;
    assert_eq!((less.vector_dim, less.projection_input_dim), (2, 4));
    assert_eq!(client.vinfo("none").await?, None);
    Ok(())
}

async fn elements_have_attributes_and_neighbours<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client()?;
    client.execute(cmd::vadd("v", [1.0_f32, 0.0], "a").attributes("{\"year\":1}")).await?;
    client.vadd("v", [0.0_f32, 1.0], "b").await?;
    assert_eq!(client.vgetattr::<String>("v", "a").await?.as_deref(), Some("{\"year\":1}"));
    assert_eq!(client.vgetattr::<String>("v", "b").await?, None);
    assert!(client.vsetattr("v", "b", "{\"year\":2}").await?);
    assert!(!client.vsetattr("v", "none", "{}").await?);
    assert!(client.vsetattr("v", "a", "").await?);
    assert_eq!(client.vgetattr::<String>("v", "a").await?, None);
    cx.step("VLINKS");
    let links: Option<Vec<Vec<String>>> = client.vlinks("v", "a").await?;
    let lowest = links.and_then(|mut layers| layers.pop());
    assert_eq!(lowest, Some(vec!["b".to_owned()]));
    let scored = client.execute(cmd::vlinks::<String>("v", "a").with_scores()).await?;
    let lowest = scored.and_then(|mut layers| layers.pop());
    assert_eq!(lowest, Some(vec![("b".to_owned(), 0.5)]));
    assert_eq!(client.vlinks::<String>("v", "none").await?, None);
    assert_eq!(client.execute(cmd::vlinks::<String>("none", "a").with_scores()).await?, None);
    Ok(())
}

async fn similar_elements_are_found<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client()?;
    let add = |vector: [f32; 2], name: &str| cmd::vadd("v", vector, name).noquant();
    client.execute(add([1.0, 0.0], "east").attributes("{\"sun\":1}")).await?;
    client.execute(add([0.0, 1.0], "north")).await?;
    client.execute(add([-1.0, 0.0], "west").attributes("{\"sun\":2}")).await?;

    let all = ["east", "north", "west"];
    assert_eq!(client.vsim::<String>("v", VectorQuery::element("east")).await?, all);
    assert_eq!(client.vsim::<String>("v", [1.0_f32, 0.0]).await?, all);
    assert_eq!(client.vsim::<String>("v", vec![1.0_f64, 0.0]).await?, all);
    assert_eq!(client.vsim::<String>("none", [1.0_f64]).await?, [""; 0]);
    cx.step("VSIM with its options");
    let east = || cmd::vsim::<String>("v", VectorQuery::element("east"));
    assert_eq!(client.execute(east().count(1)).await?, ["east"]);
    assert_eq!(client.execute(east().ef(100).truth().no_thread()).await?, all);
    let near = if cx.redis_since(8, 2) { 0.6 } else { 1.2 };
    assert_eq!(client.execute(east().within(near)).await?, ["east", "north"]);
    let sunny = east().filter(".sun > 1").filter_ef(10);
    assert_eq!(client.execute(sunny).await?, ["west"]);
    let scored = client.execute(east().with_scores()).await?;
    let expected = [("east", 1.0), ("north", 0.5), ("west", 0.0)];
    assert_eq!(scored, expected.map(|(name, score)| (name.to_owned(), score)));
    assert_eq!(client.execute(cmd::vsim::<String>("none", [1.0_f32]).with_scores()).await?, []);
    if !cx.redis_since(8, 2) {
        return Ok(());
    }
    cx.step("VSIM WITHATTRIBS");
    let east = || cmd::vsim_with_attributes::<String>("v", VectorQuery::element("east"));
    let attributes = [Some("{\"sun\":1}"), None, Some("{\"sun\":2}")].map(|a| a.map(str::to_owned));
    let expected: Vec<_> =
        all.iter().map(|name| (*name).to_owned()).zip(attributes.clone()).collect();
    assert_eq!(client.execute(east()).await?, expected);
    let east = east().with_scores().count(5).within(2.0).ef(9).filter_ef(10).truth().no_thread();
    let found = client.execute(east).await?;
    let expected: Vec<_> = scored
        .into_iter()
        .zip(attributes)
        .map(|((element, score), attributes)| ScoredElement { element, score, attributes })
        .collect();
    assert_eq!(found, expected);
    Ok(())
}
