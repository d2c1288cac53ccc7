//! Which connections of a pool are idle, and whether one more may be opened.
//!
//! Owns the counts. Waiting, opening and closing are the adapter's.

/// Bookkeeping of up to `max` connections of type `C`.
#[derive(Debug)]
pub struct Pool<C> {
    idle: Vec<C>,
    /// Connections that exist or are being opened, idle ones included.
    open: usize,
    max: usize,
}

/// What [`Pool::acquire`] found.
#[derive(Debug, PartialEq, Eq)]
pub enum Acquired<C> {
    /// An idle connection: the one used last.
    Idle(C),
    /// None is idle, but there is a place for one more, which is taken now. Open one, and give the place
    /// back with [`Pool::forget`] if that fails.
    Place,
    /// All are in use: wait for one.
    Full,
}

impl<C> Pool<C> {
    /// An empty pool.
    pub fn new(max: usize) -> Self {
        Self { idle: Vec::new(), open: 0, max }
    }

    /// Takes a connection or the place for one.
    pub fn acquire(&mut self) -> Acquired<C> {
        if let Some(connection) = self.idle.pop() {
            return Acquired::Idle(connection);
        }
        if self.open == self.max {
            return Acquired::Full;
        }
        self.open += 1;
        Acquired::Place
    }

    /// Gives back a connection that owes nothing.
    pub fn release(&mut self, connection: C) {
        self.idle.push(connection);
    }

    /// Gives back the place of a connection that failed, was closed, or could not be opened.
    pub fn forget(&mut self) {
        self.open -= 1;
    }

    /// Takes all idle connections out, to close them.
    pub fn drain(&mut self) -> Vec<C> {
        self.open -= self.idle.len();
        std::mem::take(&mut self.idle)
    }

    /// Connections that exist or are being opened.
    pub fn open(&self) -> usize {
        self.open
    }

    /// Connections that nobody uses.
    pub fn idle(&self) -> usize {
        self.idle.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_connection_given_back_is_the_next_one_taken() {
        let mut pool = Pool::new(2);
        assert_eq!(pool.acquire(), Acquired::<u8>::Place);
        assert_eq!(pool.acquire(), Acquired::Place);
        assert_eq!(pool.acquire(), Acquired::Full);
        pool.release(1);
        pool.release(2);
        assert_eq!(pool.acquire(), Acquired::Idle(2));
        assert_eq!(pool.acquire(), Acquired::Idle(1));
    }

    #[test]
    fn a_failed_connection_gives_its_place_back() {
        let mut pool = Pool::<u8>::new(1);
        assert_eq!(pool.acquire(), Acquired::Place);
        pool.forget();
        assert_eq!(pool.acquire(), Acquired::Place);
        pool.release(1);
        assert_eq!(pool.drain(), [1]);
        assert_eq!((pool.open(), pool.idle()), (0, 0));
    }
}
