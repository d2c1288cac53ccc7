//! Places and the areas around them.

use redis_core::types::{GeoArea, GeoCenter, GeoMatch, GeoPoint, GeoUnit, GeoWith};
use redis_core::{Commands, Execute, Result, cmd};

use crate::client::Client;
use crate::scenario::{Context, Outcome, Scenario, since};
use crate::subject::Subject;

pub(super) fn list<S: Subject>() -> Vec<Scenario<S>> {
    vec![
        Scenario::new(places_are_added_moved_and_shown),
        Scenario::new(areas_are_searched_around_members_and_places),
        Scenario::new(found_members_come_with_what_was_asked_for),
        Scenario::new(found_members_are_stored),
        Scenario::new(polygons_are_searched)
            .needs("BYPOLYGON", |server| server.name == "valkey" && since(server, 9, 0)),
        Scenario::new(deprecated_searches_still_work),
    ]
}

/// Palermo, Catania and Roma.
async fn add<S: Subject>(client: &Client<S>) -> Result<()> {
    let places = [
        (13.361389, 38.115556, "Palermo"),
        (15.087269, 37.502669, "Catania"),
        (12.496365, 41.902782, "Roma"),
    ];
    assert_eq!(client.geoadd("g", places).await?, 3);
    Ok(())
}

/// Whether two numbers differ by less than the servers' own rounding.
fn near(a: f64, b: f64) -> bool {
    (a - b).abs() < 1e-4
}

async fn places_are_added_moved_and_shown<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client()?;
    add(&client).await?;
    let moved = || [(13.5, 38.0, "Palermo"), (9.19, 45.46, "Milano")];
    assert_eq!(client.execute(cmd::geoadd("g", moved()).xx().ch()).await?, 1);
    assert_eq!(client.execute(cmd::geoadd("g", moved()).nx()).await?, 1);
    let places = client.geopos("g", ["Palermo", "none"]).await?;
    let palermo = places[0].ok_or("Palermo has a place")?;
    assert!(near(palermo.longitude, 13.5) && near(palermo.latitude, 38.0), "{palermo:?}");
    assert_eq!(places[1], None);
    assert!(client.geopos("g", [""; 0]).await?.is_empty());
    cx.saw("GEOPOS", places);
    let hashes = client.geohash("g", ["Catania", "none"]).await?;
    assert_eq!(hashes, [Some("sqdtr74hyu0".to_owned()), None]);
    assert!(client.geohash("g", [""; 0]).await?.is_empty());
    let distance = async |unit| {
        let distance = cmd::geodist("g", "Catania", "Roma").unit(unit);
        client.execute(distance).await
    };
    let metres = client.geodist("g", "Catania", "Roma").await?.ok_or("both have places")?;
    assert_eq!(distance(GeoUnit::Metres).await?, Some(metres));
    let kilometres = distance(GeoUnit::Kilometres).await?.ok_or("both have places")?;
    assert!(near(kilometres, metres / 1000.0), "{kilometres}");
    cx.saw("miles", distance(GeoUnit::Miles).await?);
    cx.saw("feet", distance(GeoUnit::Feet).await?);
    assert_eq!(client.geodist("g", "Catania", "none").await?, None);
    Ok(())
}

async fn areas_are_searched_around_members_and_places<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client()?;
    add(&client).await?;
    let circle = || GeoArea::circle(GeoCenter::member("Palermo"), 200.0, GeoUnit::Kilometres);
    let search = |area| cmd::geosearch::<String>("g", area);
    assert_eq!(client.execute(search(circle()).asc()).await?, ["Palermo", "Catania"]);
    assert_eq!(client.execute(search(circle()).desc()).await?, ["Catania", "Palermo"]);
    assert_eq!(client.execute(search(circle()).asc().count(1)).await?, ["Palermo"]);
    assert_eq!(client.execute(search(circle()).count(1).any()).await?.len(), 1);
    let circle = GeoArea::circle((12.5, 41.9), 20.0, GeoUnit::Miles);
    assert_eq!(client.geosearch::<String>("g", circle).await?, ["Roma"]);
    let wide =
        GeoArea::rectangle(GeoPoint::new(14.0, 38.0), 400_000.0, 1_000_000.0, GeoUnit::Metres);
    assert_eq!(client.execute(search(wide).asc()).await?, ["Palermo", "Catania", "Roma"]);
    let flat = GeoArea::rectangle(GeoCenter::member("Roma"), 1e6, 1e6, GeoUnit::Feet);
    assert_eq!(client.geosearch::<String>("g", flat).await?, ["Roma"]);
    let none = GeoArea::circle((0.0, 0.0), 1.0, GeoUnit::Metres);
    assert!(client.geosearch::<String>("g", none).await?.is_empty());
    Ok(())
}

async fn found_members_come_with_what_was_asked_for<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client()?;
    add(&client).await?;
    let search = async |with| -> Result<Vec<GeoMatch<String>>> {
        let area = GeoArea::circle(GeoCenter::member("Palermo"), 200.0, GeoUnit::Kilometres);
        client.execute(cmd::geosearch("g", area).asc().with(with)).await
    };
    let all = search(GeoWith::POINT | GeoWith::DISTANCE | GeoWith::HASH).await?;
    cx.saw("all", &all);
    let catania = &all[1];
    assert_eq!((&*catania.member, catania.hash), ("Catania", Some(3_479_447_370_796_909)));
    assert_eq!(catania.distance, Some(166.2742));
    assert!(catania.point.is_some_and(|point| near(point.longitude, 15.087269)), "{catania:?}");
    let only = search(GeoWith::DISTANCE).await?;
    assert_eq!((only[0].distance, only[0].hash, only[0].point), (Some(0.0), None, None));
    let only = search(GeoWith::HASH).await?;
    assert_eq!((only[1].distance, only[1].hash), (None, catania.hash));
    let only = search(GeoWith::POINT).await?;
    assert_eq!((only[1].distance, only[1].point), (None, catania.point));
    Ok(())
}

async fn found_members_are_stored<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client()?;
    add(&client).await?;
    let area = || GeoArea::circle(GeoCenter::member("Palermo"), 200.0, GeoUnit::Kilometres);
    assert_eq!(client.geosearchstore("h", "g", area()).await?, 2);
    cx.saw("places", client.geopos("h", "Catania").await?);
    let store = || cmd::geosearchstore("h", "g", area()).store_distances();
    assert_eq!(client.execute(store()).await?, 2);
    let scores = client.execute(cmd::zrange::<String>("h", 0, -1).with_scores()).await?;
    assert!(scores[0].1 == 0.0 && near(scores[1].1, 166.2742), "{scores:?}");
    assert_eq!(client.execute(store().desc().count(1)).await?, 1);
    assert_eq!(client.zrange::<String>("h", 0, -1).await?, ["Catania"]);
    assert_eq!(client.execute(store().asc().count(1).any()).await?, 1);
    let area = GeoArea::rectangle((14.0, 38.0), 400.0, 100.0, GeoUnit::Miles);
    assert_eq!(client.geosearchstore("h", "g", area).await?, 2);
    for (unit, radius) in [(GeoUnit::Metres, 3e5), (GeoUnit::Feet, 1e6)] {
        let area = GeoArea::circle((13.5, 38.0), radius, unit);
        assert_eq!(client.geosearchstore("h", "g", area).await?, 2);
    }
    Ok(())
}

async fn polygons_are_searched<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client()?;
    add(&client).await?;
    let sicily = || GeoArea::polygon([(12.0, 36.5), (16.0, 36.5), (16.0, 38.5), (12.0, 38.5)]);
    let mut found = client.geosearch::<String>("g", sicily()).await?;
    found.sort();
    assert_eq!(found, ["Catania", "Palermo"]);
    let search = cmd::geosearch::<String>("g", sicily()).asc().with(GeoWith::DISTANCE);
    cx.saw("from the middle", client.execute(search).await?);
    assert_eq!(client.geosearchstore("h", "g", sicily()).await?, 2);
    Ok(())
}

async fn deprecated_searches_still_work<S: Subject>(cx: Context<S>) -> Outcome {
    let client = cx.client()?;
    add(&client).await?;
    let all = GeoWith::POINT | GeoWith::DISTANCE | GeoWith::HASH;
    let km = GeoUnit::Kilometres;
    cx.step("GEORADIUS");
    let around = || cmd::georadius::<String>("g", 13.5, 38.0, 300.0, km);
    assert_eq!(client.execute(around().asc()).await?, ["Palermo", "Catania"]);
    let with = around().with(all).desc().count(1);
    let found = client.execute(with).await?;
    assert_eq!((&*found[0].member, found[0].hash), ("Catania", Some(3_479_447_370_796_909)));
    cx.saw("GEORADIUS", found);
    assert_eq!(client.execute(around().count(1).any()).await?.len(), 1);
    assert_eq!(client.execute(around().store("h")).await?, 2);
    assert_eq!(client.execute(around().store_distances("h")).await?, 2);
    let others = [(GeoUnit::Metres, 3e5), (GeoUnit::Feet, 1e6), (GeoUnit::Miles, 190.0)];
    for (unit, radius) in others {
        assert_eq!(client.georadius::<String>("g", 13.5, 38.0, radius, unit).await?.len(), 2);
        assert_eq!(client.georadius_ro::<String>("g", 13.5, 38.0, radius, unit).await?.len(), 2);
        let near = client.georadiusbymember::<String>("g", "Catania", radius, unit).await?;
        assert_eq!(near.len(), 2);
        let near = client.georadiusbymember_ro::<String>("g", "Catania", radius, unit).await?;
        assert_eq!(near.len(), 2);
    }
    cx.step("GEORADIUS_RO");
    let around = || cmd::georadius_ro::<String>("g", 13.5, 38.0, 300.0, km);
    assert_eq!(client.execute(around().desc()).await?, ["Catania", "Palermo"]);
    let with = around().with(all).asc().count(1).any();
    assert_eq!(client.execute(with).await?.len(), 1);
    cx.step("GEORADIUSBYMEMBER");
    let near = || cmd::georadiusbymember::<String>("g", "Palermo", 300.0, km);
    assert_eq!(client.execute(near().asc()).await?, ["Palermo", "Catania"]);
    assert_eq!(client.execute(near().desc().count(1)).await?, ["Catania"]);
    let with = near().with(all).count(1).any();
    assert_eq!(client.execute(with).await?.len(), 1);
    assert_eq!(client.execute(near().store("h")).await?, 2);
    assert_eq!(client.execute(near().store_distances("h")).await?, 2);
    cx.step("GEORADIUSBYMEMBER_RO");
    let near = || cmd::georadiusbymember_ro::<String>("g", "Palermo", 300.0, km);
    assert_eq!(client.execute(near().asc()).await?, ["Palermo", "Catania"]);
    let with = near().with(all).desc().count(1).any();
    assert_eq!(client.execute(with).await?.len(), 1);
    Ok(())
}
