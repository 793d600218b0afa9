//! Listeners, and a thread for each client.

use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, Builder};
use std::time::Duration;

use crate::bridge::Bridge;
use crate::conversation::converse;
use crate::log::Throttle;

/// Clients at once; who comes beside them is hung up on.
const CLIENTS: usize = 256;
const STACK_BYTES: usize = 512 << 10;
/// After an error in `accept`, such as too many open files.
const PAUSE: Duration = Duration::from_millis(100);

static CROWDED: Throttle = Throttle::new();
static FAILED: Throttle = Throttle::new();

/// Serves all that come. Does not return unless no thread can be started.
///
/// # Errors
/// If no thread can be started for a listener.
pub fn serve(listeners: Vec<TcpListener>, bridge: &Arc<Bridge>) -> Result<(), String> {
    let clients = Arc::new(AtomicUsize::new(0));
    let start_one = |listener: TcpListener| {
        let (bridge, clients) = (bridge.clone(), clients.clone());
        start("listener", move || accept(&listener, &bridge, &clients))
    };
    let threads = listeners.into_iter().map(start_one).collect::<Result<Vec<_>, _>>()?;
    threads.into_iter().for_each(|thread| _ = thread.join());
    Ok(())
}

/// Starts a thread.
///
/// # Errors
/// If the system has no room for it.
pub fn start(name: &str, work: impl FnOnce() + Send + 'static) -> Result<thread::JoinHandle<()>, String> {
    let builder = Builder::new().name(name.into()).stack_size(STACK_BYTES);
    builder.spawn(work).map_err(|error| format!("no thread for a {name}: {error}"))
}

fn accept(listener: &TcpListener, bridge: &Arc<Bridge>, clients: &Arc<AtomicUsize>) {
    loop {
        match listener.accept() {
            Ok((stream, peer)) => {
                let Some(place) = Place::take(clients) else {
                    CROWDED.warn(format_args!("{peer} is not served: there are {CLIENTS} clients"));
                    continue;
                };
                let bridge = bridge.clone();
                let started = start("client", move || {
                    let _place = place;
                    converse(stream, bridge);
                });
                if let Err(error) = started {
                    FAILED.warn(error);
                }
            }
            Err(error) => {
                FAILED.warn(format_args!("no connection could be taken: {error}"));
                thread::sleep(PAUSE);
            }
        }
    }
}

/// A client's place, free again when it is dropped.
struct Place(Arc<AtomicUsize>);

impl Place {
    fn take(clients: &Arc<AtomicUsize>) -> Option<Place> {
        let place = Place(clients.clone());
        // Dropped again if there was none.
        (clients.fetch_add(1, Ordering::Relaxed) < CLIENTS).then_some(place)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
