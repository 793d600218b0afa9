use std::time::{Duration, Instant};

use super::*;

fn keys(names: &str) -> Vec<String> {
    names.split_whitespace().map(String::from).collect()
}

fn order(events: &[&str]) -> Order<String, usize> {
    let mut order = Order::default();
    for (i, names) in events.iter().enumerate() {
        order.push(keys(names), Class::Lasting, i);
    }
    order
}

fn all_ready(order: &mut Order<String, usize>) -> Vec<usize> {
    std::iter::from_fn(|| order.take_next()).map(|(_, event)| event).collect()
}

#[test]
fn events_without_a_common_key_go_side_by_side() {
    assert_eq!(all_ready(&mut order(&["a", "b c", "d", ""])), [0, 1, 2, 3]);
}

#[test]
fn an_event_waits_for_every_key() {
    let mut order = order(&["a", "b", "a b", "b"]);
    assert_eq!(all_ready(&mut order), [0, 1]);
    order.done(0);
    assert!(all_ready(&mut order).is_empty());
    order.done(1);
    assert_eq!(all_ready(&mut order), [2]);
    order.done(2);
    assert_eq!(all_ready(&mut order), [3]);
    order.done(3);
    assert!(order.is_empty());
    assert!(order.queues.is_empty());
}

#[test]
fn a_key_named_twice_counts_once() {
    let mut order = order(&["a a", "a"]);
    assert_eq!(all_ready(&mut order), [0]);
    order.done(0);
    assert_eq!(all_ready(&mut order), [1]);
}

#[test]
fn an_event_that_is_over_before_its_turn_lets_the_next_one_pass_but_not_overtake() {
    let mut order = order(&["a", "a", "a"]);
    assert_eq!(all_ready(&mut order), [0]);
    assert_eq!(order.take(1), Some((1, 1)));
    assert_eq!(order.take(0), None, "it is running");
    order.done(1);
    assert!(all_ready(&mut order).is_empty());
    order.done(0);
    assert_eq!(all_ready(&mut order), [2]);
}

fn behind(order: &mut Order<String, usize>, seq: Turn, mine: &[Turn]) -> Option<usize> {
    order.take_behind(seq, |seq| mine.contains(&seq), |_| true).map(|(_, event)| event)
}

#[test]
fn who_has_all_that_stand_before_an_event_may_have_it_too() {
    let mut order = order(&["a", "a b", "b c", "a c", "c"]);
    assert_eq!(order.take_next(), Some((0, 0)));
    assert_eq!(behind(&mut order, 0, &[0]), Some(1));
    assert_eq!(behind(&mut order, 0, &[0, 1]), None, "1 is running, and 3 stands behind it");
    assert_eq!(behind(&mut order, 1, &[0, 1]), Some(2), "3 stands behind 2 as well");
    assert_eq!(behind(&mut order, 1, &[0, 1, 2]), Some(3));
    assert_eq!(order.take_next(), None);
    (0..4).for_each(|seq| order.done(seq));
    assert_eq!(all_ready(&mut order), [4]);
    order.done(4);
    assert!(order.is_empty() && order.queues.is_empty());
}

#[test]
fn an_event_behind_one_of_somebody_elses_is_not_taken() {
    let mut order = order(&["a", "b", "a b"]);
    assert_eq!(all_ready(&mut order), [0, 1]);
    assert_eq!(behind(&mut order, 0, &[0]), None);
    order.done(1);
    assert_eq!(behind(&mut order, 0, &[0]), Some(2));
}

#[test]
fn events_given_back_together_come_again_in_order() {
    let mut order = order(&["a", "a", "a"]);
    assert_eq!(order.take_next(), Some((0, 0)));
    assert_eq!(behind(&mut order, 0, &[0]), Some(1));
    order.give_back(0, 0);
    order.give_back(1, 1);
    assert_eq!(all_ready(&mut order), [0]);
    order.done(0);
    assert_eq!(all_ready(&mut order), [1]);
    order.done(1);
    assert_eq!(all_ready(&mut order), [2]);
}

#[test]
fn an_event_given_back_keeps_its_turn() {
    let mut order = order(&["a", "a"]);
    assert_eq!(order.take_next(), Some((0, 0)));
    order.give_back(0, 0);
    assert_eq!(all_ready(&mut order), [0]);
    order.done(0);
    assert_eq!(all_ready(&mut order), [1]);
}

#[test]
fn an_event_that_is_running_from_the_beginning_holds_its_keys_until_it_is_done_or_given_back() {
    let mut order = Order::default();
    order.push_running(keys("a"), Class::Lasting);
    order.push_running(keys("a b"), Class::Lasting);
    order.push(keys("b"), Class::Lasting, 2);
    assert!(all_ready(&mut order).is_empty());
    order.give_back(1, 1);
    assert!(all_ready(&mut order).is_empty());
    order.done(0);
    assert_eq!(all_ready(&mut order), [1]);
    order.done(1);
    assert_eq!(all_ready(&mut order), [2]);
}

#[test]
fn those_that_wait_are_shown_in_their_order() {
    let mut order = order(&["a", "b", "a"]);
    assert_eq!(order.take_next(), Some((0, 0)));
    assert_eq!(order.waiting_mut().map(|event| *event).collect::<Vec<_>>(), [1, 2]);
}

#[test]
fn what_is_kept_is_never_dropped_unless_it_becomes_another() {
    let mut order = Order::default();
    let kept = order.push_running(keys("a"), Class::Kept);
    order.push(keys("a"), Class::Kept, 1);
    order.give_back(kept, 0);
    assert_eq!(order.cancel_oldest(), None);
    order.take(kept);
    order.set_class(kept, Class::Passing);
    order.give_back(kept, 0);
    assert_eq!(order.cancel_oldest(), Some(0));
    assert_eq!(all_ready(&mut order), [1]);
}

#[test]
fn an_urgent_event_goes_first_but_never_before_those_of_its_own_key() {
    let mut order = order(&["a", "b"]);
    order.push(keys("a"), Class::Urgent, 2);
    order.push(keys("c"), Class::Urgent, 3);
    assert_eq!(all_ready(&mut order), [0, 3, 1]);
    order.done(0);
    assert_eq!(all_ready(&mut order), [2]);
}

#[test]
fn what_an_urgent_event_waits_for_is_urgent_too() {
    let mut order = order(&["x", "a", "a b", "y"]);
    order.push(keys("b"), Class::Urgent, 4);
    assert_eq!(all_ready(&mut order), [1, 0, 3]);
    order.push(keys("z"), Class::Lasting, 5);
    order.done(1);
    assert_eq!(all_ready(&mut order), [2, 5]);
}

#[test]
fn a_long_queue_costs_no_more_than_its_length() {
    let mut order = Order::default();
    for seq in 0..100_000 {
        order.push(keys("client all"), Class::Lasting, seq);
    }
    order.push(keys("client all"), Class::Urgent, 100_000);
    assert_eq!(order.take_urgent(|_| true), Some((0, 0)));
    (0..100_000).for_each(|turn| order.done(turn));
    assert_eq!(order.take_urgent(|_| true), Some((100_000, 100_000)));
}

#[test]
fn the_oldest_that_nobody_waits_for_is_dropped() {
    let mut order = order(&["a", "a", "a"]);
    order.push(keys("b"), Class::Urgent, 3);
    assert_eq!(order.take_next(), Some((3, 3)));
    assert_eq!(order.take_next(), Some((0, 0)));
    assert_eq!(order.cancel_oldest(), Some(1));
    order.done(0);
    assert_eq!(all_ready(&mut order), [2]);
    assert_eq!(order.cancel_oldest(), None);
}

/// Events of a lease, a packet and so on, each with a key of its own.
fn of_classes(classes: &[Class]) -> Order<String, usize> {
    let mut order = Order::default();
    for (i, &class) in classes.iter().enumerate() {
        order.push(keys(&i.to_string()), class, i);
    }
    order
}

#[test]
fn passing_events_are_dropped_before_lasting_ones() {
    use Class::*;
    let mut order = of_classes(&[Lasting, Passing, Urgent, Lasting, Passing]);
    let dropped: Vec<_> = std::iter::from_fn(|| order.cancel_oldest()).collect();
    assert_eq!(dropped, [1, 4, 0, 3]);
    assert_eq!(all_ready(&mut order), [2]);
}

#[test]
fn a_new_passing_event_is_dropped_where_all_others_last() {
    use Class::*;
    let mut order = of_classes(&[Lasting, Lasting, Passing]);
    assert_eq!(order.cancel_oldest(), Some(2));
    assert_eq!(all_ready(&mut order), [0, 1]);
}

#[test]
fn what_runs_is_not_dropped_but_what_is_given_back_may_be() {
    use Class::*;
    let mut order = of_classes(&[Passing, Lasting, Passing]);
    assert_eq!(order.take_next(), Some((0, 0)));
    assert_eq!(order.take_next(), Some((1, 1)));
    assert_eq!(order.cancel_oldest(), Some(2));
    assert_eq!(order.cancel_oldest(), None);
    order.give_back(1, 1);
    order.give_back(0, 0);
    assert_eq!((order.cancel_oldest(), order.cancel_oldest(), order.cancel_oldest()), (Some(0), Some(1), None));
    assert!(order.is_empty() && order.queues.is_empty());
}

#[test]
fn what_an_urgent_event_waits_for_is_not_dropped() {
    let mut order = Order::default();
    order.push(keys("a"), Class::Passing, 0);
    order.push(keys("a b"), Class::Lasting, 1);
    order.push(keys("b"), Class::Urgent, 2);
    order.push(keys("b"), Class::Passing, 3);
    assert_eq!((order.cancel_oldest(), order.cancel_oldest()), (Some(3), None));
    assert_eq!(order.take_next(), Some((0, 0)));
    order.give_back(0, 0);
    assert_eq!(order.cancel_oldest(), None);
}

#[test]
fn a_dropped_event_lets_those_behind_it_move_up() {
    let mut order = Order::default();
    for (seq, class) in [(0, Class::Lasting), (1, Class::Passing), (2, Class::Lasting)] {
        order.push(keys("a"), class, seq as usize);
    }
    assert_eq!(order.take_next(), Some((0, 0)));
    assert_eq!(order.cancel_oldest(), Some(1));
    order.done(2);
    assert_eq!(order.cancel_oldest(), None);
    order.done(0);
    assert!(order.is_empty() && order.queues.is_empty());
}

/// How long it takes to drop a flood of passing events, one by one, behind so many lasting ones.
fn flood_behind(lasting: Turn) -> Duration {
    let mut order = Order::default();
    for seq in 0..lasting {
        order.push(keys(&seq.to_string()), Class::Lasting, seq);
    }
    let start = Instant::now();
    for seq in lasting..lasting + 5_000 {
        order.push(keys("flood"), Class::Passing, seq);
        assert_eq!(order.cancel_oldest(), Some(seq));
    }
    start.elapsed()
}

#[test]
fn a_flood_behind_a_long_queue_is_dropped_as_quickly_as_behind_a_short_one() {
    let (short, long) = (flood_behind(10), flood_behind(20_000));
    assert!(long < 50 * short, "{long:?} instead of {short:?}");
}
