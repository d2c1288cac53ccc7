//! What the guides say of redis-py.

use crate::place::Wanted;

#[test]
fn what_the_guides_say_of_redis_py_holds() {
    let program = include_str!("redis_py.py");
    if let Some(said) = crate::snippet::python(program, 0, Wanted::Server) {
        assert_eq!(said, "");
    }
}

#[test]
fn what_the_guide_to_clusters_says_of_redis_py_holds() {
    let program = include_str!("redis_py_cluster.py");
    if let Some(said) = crate::snippet::python(program, 0, Wanted::Cluster) {
        assert_eq!(said, "");
    }
}
