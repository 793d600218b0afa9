//! Where packet threads leave the events that Kea does not wait for: without a lock, so that no packet waits for
//! another one's thread.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};

use super::Task;

pub struct Inbox {
    sender: Sender<Task>,
    length: AtomicUsize,
}

impl Inbox {
    /// The inbox, and the end from which it is emptied, by one thread at a time: it belongs under a lock.
    pub fn new() -> (Inbox, Receiver<Task>) {
        let (sender, receiver) = channel();
        (Inbox { sender, length: AtomicUsize::new(0) }, receiver)
    }

    /// Puts an event in; how many are there now.
    pub fn put(&self, task: Task) -> usize {
        let length = self.length.fetch_add(1, Ordering::Relaxed) + 1;
        // It fails only where the receiver is gone, and that lives as long as we do.
        let _ = self.sender.send(task);
        length
    }

    pub fn len(&self) -> usize {
        self.length.load(Ordering::Relaxed)
    }

    /// The oldest event, if there is one. What this thread has put in before is there.
    pub fn take(&self, receiver: &Receiver<Task>) -> Option<Task> {
        let task = receiver.try_recv().ok()?;
        self.length.fetch_sub(1, Ordering::Relaxed);
        Some(task)
    }
}
