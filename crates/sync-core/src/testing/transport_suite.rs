//! What every transport must do. Each law is a function that panics where a transport breaks it.
//!
//! ```text
//! sync_core::transport_suite!(MyFixture);
//! ```
//!
//! in a test file makes one `#[tokio::test]` of each. No law sleeps in the hope that something has
//! happened by then: each waits for what it expects, up to [`PATIENCE`].
#![expect(
    clippy::missing_panics_doc,
    reason = "every law panics where it is broken; that is what it is for"
)]

mod admission;
mod ending;
mod flow;
mod roster;
mod scene;

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

pub use admission::{
    a_full_hub_refuses, a_gone_holder_loses_the_name_at_once, a_hello_is_announced_as_it_was_said,
    a_living_holder_keeps_the_name, a_mute_holder_loses_the_name, a_protocol_mismatch_is_refused,
    an_unknown_swarm_is_refused, of_two_newcomers_one_wins, the_hubs_own_name_is_refused,
};
pub use ending::{
    a_disconnect_delivers_what_was_sent_and_says_why, a_goodbye_is_reported_once,
    a_refusal_that_comes_late_is_one_all_the_same, a_slow_reader_is_disconnected_alone,
    a_vanished_peer_is_reported_once, nothing_is_sent_to_a_gone_session, shutdown_ends_everything,
};
pub use flow::{
    a_cancelled_recv_loses_nothing, a_frame_over_the_limit_stays_with_its_sender,
    frames_arrive_both_ways_in_order, frames_arrive_unchanged_however_well_they_compress,
    frames_of_all_shapes_arrive_unchanged, many_agents_are_served_at_once, traffic_is_counted,
};
pub use roster::{
    a_broadcast_reaches_the_members_of_one_swarm, clients_are_on_no_roster,
    registering_needs_no_connection, the_status_follows_the_connection,
    the_topology_is_a_sorted_star, unregistering_closes_the_connection,
};

use crate::id::SwarmId;
use crate::transport::{Coordinator, Link};

/// How long a law waits for what must happen. Long, because it only ends laws that fail.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// The bounds under which a law wants its transport.
#[derive(Debug, Clone)]
pub struct Setup {
    /// Swarms served; `None` for all.
    pub swarms: Option<BTreeSet<SwarmId>>,
    /// Peers connected at once.
    pub connections_max: usize,
    /// Largest frame.
    pub frame_bytes_max: usize,
    /// Frames that may wait for one peer.
    pub outbox_frames_max: usize,
    /// Bytes that may wait for one peer.
    pub outbox_bytes_max: usize,
    /// Deadline of the hello.
    pub hello: Duration,
    /// Silence after which a peer is given up.
    pub silence: Duration,
    /// How long the holder of a name has to answer.
    pub probe: Duration,
    /// Deadline of an orderly end.
    pub close: Duration,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            swarms: None,
            connections_max: 1000,
            frame_bytes_max: 1 << 20,
            outbox_frames_max: 4096,
            outbox_bytes_max: 16 << 20,
            hello: PATIENCE,
            silence: PATIENCE,
            probe: PATIENCE,
            close: Duration::from_secs(2),
        }
    }
}

/// A coordinator under test and a way to it.
#[derive(Debug)]
pub struct Stage {
    /// The hub's side.
    pub coordinator: Arc<dyn Coordinator>,
    /// The agents' side.
    pub link: Arc<dyn Link>,
}

/// Makes transports to test.
#[async_trait]
pub trait Fixture: fmt::Debug + Send + Sync {
    /// A fresh coordinator that keeps to `setup`, and a link that leads to it. The link's own
    /// deadlines must be longer than those of `setup`.
    async fn start(&self, setup: &Setup) -> Stage;
}

/// Makes a test of every law, for one [`Fixture`].
#[macro_export]
macro_rules! transport_suite {
    ($fixture:expr) => {
        $crate::transport_suite! { @laws $fixture;
            a_hello_is_announced_as_it_was_said
            an_unknown_swarm_is_refused
            a_protocol_mismatch_is_refused
            the_hubs_own_name_is_refused
            a_full_hub_refuses
            a_living_holder_keeps_the_name
            a_mute_holder_loses_the_name
            a_gone_holder_loses_the_name_at_once
            of_two_newcomers_one_wins
            frames_arrive_both_ways_in_order
            frames_of_all_shapes_arrive_unchanged
            frames_arrive_unchanged_however_well_they_compress
            a_frame_over_the_limit_stays_with_its_sender
            a_cancelled_recv_loses_nothing
            many_agents_are_served_at_once
            traffic_is_counted
            a_broadcast_reaches_the_members_of_one_swarm
            the_status_follows_the_connection
            registering_needs_no_connection
            unregistering_closes_the_connection
            the_topology_is_a_sorted_star
            clients_are_on_no_roster
            a_goodbye_is_reported_once
            a_vanished_peer_is_reported_once
            a_disconnect_delivers_what_was_sent_and_says_why
            a_refusal_that_comes_late_is_one_all_the_same
            a_slow_reader_is_disconnected_alone
            nothing_is_sent_to_a_gone_session
            shutdown_ends_everything
        }
    };
    (@laws $fixture:expr; $($law:ident)*) => {
        $(
            #[tokio::test]
            async fn $law() {
                $crate::testing::transport_suite::$law(&$fixture).await;
            }
        )*
    };
}
