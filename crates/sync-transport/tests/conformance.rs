//! Both transports keep the laws of `sync_core::testing::transport_suite`.

use std::sync::Arc;

use async_trait::async_trait;
use sync_core::testing::transport_suite::{Fixture, Setup, Stage};
use sync_transport::{CoordinatorOptions, LinkOptions};

/// Twice the patience of the suite: a link must not give up before a law does.
const LINK_HELLO: std::time::Duration = std::time::Duration::from_secs(40);

fn options(setup: &Setup) -> CoordinatorOptions {
    CoordinatorOptions {
        swarms: setup.swarms.clone(),
        connections_max: setup.connections_max,
        frame_bytes_max: setup.frame_bytes_max,
        outbox_frames_max: setup.outbox_frames_max,
        outbox_bytes_max: setup.outbox_bytes_max,
        hello: setup.hello,
        silence: setup.silence,
        probe: setup.probe,
        close: setup.close,
        ..CoordinatorOptions::default()
    }
}

fn link_options() -> LinkOptions {
    LinkOptions {
        hello: LINK_HELLO,
        ..LinkOptions::default()
    }
}

mod memory {
    use sync_transport::MemoryCoordinator;

    use super::*;

    #[derive(Debug)]
    struct Memory;

    #[async_trait]
    impl Fixture for Memory {
        async fn start(&self, setup: &Setup) -> Stage {
            let coordinator = Arc::new(MemoryCoordinator::new(options(setup)));
            Stage {
                link: Arc::new(coordinator.link().with_options(link_options())),
                coordinator,
            }
        }
    }

    sync_core::transport_suite!(Memory);
}

#[cfg(feature = "tcp")]
mod tcp {
    use sync_transport::{TcpCoordinator, TcpLink};

    use super::*;

    #[derive(Debug)]
    struct Tcp {
        compression: bool,
    }

    #[async_trait]
    impl Fixture for Tcp {
        async fn start(&self, setup: &Setup) -> Stage {
            let compression = self.compression;
            let options = CoordinatorOptions {
                compression,
                ..options(setup)
            };
            let bound = TcpCoordinator::bind("127.0.0.1:0", options).await;
            let coordinator = Arc::new(bound.expect("loopback can be listened on"));
            let options = LinkOptions {
                compression,
                ..link_options()
            };
            Stage {
                link: Arc::new(TcpLink::new(coordinator.local_addr(), options)),
                coordinator,
            }
        }
    }

    mod compressed {
        use super::Tcp;

        sync_core::transport_suite!(Tcp { compression: true });
    }

    mod plain {
        use super::Tcp;

        sync_core::transport_suite!(Tcp { compression: false });
    }
}
