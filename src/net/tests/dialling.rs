//! Connections that we make.

use super::*;

#[test]
fn a_dial_connects_or_says_why_not() {
    let mut stage = Stage::new();
    let far = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let remote = far.local_addr().unwrap();
    let dial = |stage: &Stage, remote| {
        let dial = Arc::new(Dial::new(Target::Tcp {
            remote,
            local: None,
            no_delay: true,
            keep_alive: None,
        }));
        let connection = Arc::new(Connection::new(
            stage.ids.take(),
            Role::Client,
            Config::default(),
            Some(Arc::clone(&stage.queue)),
            None,
            Transport::Dialled(Arc::clone(&dial)),
        ));
        stage.thread.shared.mailbox.deliver([Command::Dial {
            connection: Arc::clone(&connection),
            dial,
        }]);
        // From the first moment on, whichever thread begins.
        let local = connection.local_address().unwrap();
        assert_ne!(local.as_socket().unwrap().port(), 0);
        connection
    };
    let connection = dial(&stage, remote);
    assert!(matches!(stage.next(), (Event::Connected { .. }, _)));
    let (mut peer, _) = far.accept().unwrap();
    drop(far);
    connection.write_raw(Body::Copied(b"hello"));
    connection.shutdown(false);
    stage.attend(&connection);
    let mut said = String::new();
    peer.read_to_string(&mut said).unwrap();
    assert_eq!(said, "hello");
    drop(peer);
    assert!(matches!(stage.next(), (Event::Eof { .. }, _)));
    assert!(matches!(stage.next(), (Event::Closed { errno: 0, .. }, _)));

    dial(&stage, remote);
    assert!(matches!(
        stage.next(),
        (
            Event::Closed {
                syscall: Syscall::Connect,
                ..
            },
            _
        )
    ));
}
