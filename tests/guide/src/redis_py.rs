//! What the guides say of redis-py.

use crate::place::Wanted;

#[test]
fn what_the_guides_say_of_redis_py_holds() {
    if let Some(said) = crate::snippet::python(include_str!("redis_py.py"), 0, Wanted::Server) {
        assert_eq!(said, "");
    }
}
