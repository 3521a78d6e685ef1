use super::*;

fn deposit(bucket: Bucket, admission: Admission) -> Request {
    Request::Deposit(Deposit {
        tag: MailboxTag::new([7; 16]),
        lifetime: 24,
        erasure: [8; 32],
        admission,
        blob: vec![9; bucket.bytes()],
    })
}

fn requests() -> Vec<Request> {
    let token = Token { epoch: 3, nonce: [1; 16], output: [2; 32] };
    let tags = (0..TAGS).map(|n| MailboxTag::new([u8::try_from(n).unwrap(); 16])).collect();
    let mut all: Vec<Request> = Bucket::ALL
        .into_iter()
        .flat_map(|bucket| {
            [Admission::Work(Stamp { hour: 1, nonce: 2 }), Admission::Tokens(vec![token; bucket.tokens()])]
                .map(|admission| deposit(bucket, admission))
        })
        .collect();
    all.push(Request::Collect(Collect { room: 1, tags }));
    all.push(Request::Erase(vec![Erasure { tag: MailboxTag::new([1; 16]), key: [2; 16] }; ERASURES]));
    all
}

#[test]
fn requests_survive_their_bytes_and_the_greatest_fits() {
    for request in requests() {
        let bytes = request.encode();
        assert!(bytes.len() <= REQUEST, "{}", bytes.len());
        assert_eq!(Request::decode(&bytes), Ok(request));
    }
}

#[test]
fn d01_a_request_that_is_cut_or_longer_or_of_another_size_is_refused() {
    for request in requests() {
        let bytes = request.encode();
        for cut in [0, 1, 2, 17, 52, bytes.len() - 1] {
            let refused = Request::decode(&bytes[..cut]);
            assert!(refused.is_err() || matches!(refused, Ok(Request::Erase(_))), "{cut}: {refused:?}");
        }
        let longer = [bytes.as_slice(), &[0]].concat();
        assert!(Request::decode(&longer).is_err());
    }
    assert!(Request::decode(&vec![1; REQUEST + 1]).is_err());
    assert!(Request::decode(&[9]).is_err());
    assert!(Request::decode(&[Request::ERASE]).is_err());
}

#[test]
fn a_room_a_lifetime_or_a_number_of_tokens_beyond_the_limits_is_refused() {
    for room in [0, ROOM + 1] {
        let mut bytes = vec![Request::COLLECT, room];
        bytes.resize(2 + TAGS * 16, 0);
        assert!(Request::decode(&bytes).is_err(), "{room}");
    }
    let good = deposit(Bucket::Line, Admission::Tokens(vec![Token { epoch: 1, nonce: [0; 16], output: [0; 32] }]));
    for (at, value) in [(17, 0xff), (51, 0), (51, 3), (52, 0), (52, 33)] {
        let mut bytes = good.encode();
        bytes[at] = value;
        assert!(Request::decode(&bytes).is_err(), "{at} {value}");
    }
}

#[test]
fn replies_survive_their_bytes() {
    let refusals = [
        Refused::NotServing,
        Refused::Full,
        Refused::Work { bits: 20, hour: 498_000 },
        Refused::Tokens,
        Refused::Taken,
        Refused::Later(60),
        Refused::Malformed,
    ];
    let replies = refusals.map(Reply::Refused).into_iter().chain([
        Reply::Done,
        Reply::Found(Found::default()),
        Reply::Found(Found { more: true, blobs: vec![(0, vec![1; 512]), (255, vec![2; 2_048])] }),
    ]);
    for reply in replies {
        let bytes = reply.encode(4);
        assert_eq!(Reply::decode(&bytes), Ok(reply.clone()));
        if matches!(reply, Reply::Found(_)) {
            assert_eq!(bytes.len(), 4 * PAGE);
        }
    }
}

#[test]
fn d04_a_reply_that_names_a_tag_twice_or_hides_bytes_is_refused() {
    let twice = Reply::Found(Found { more: false, blobs: vec![(3, vec![1; 512]), (3, vec![1; 512])] });
    assert!(Reply::decode(&twice.encode(1)).is_err());
    let mut hidden = Reply::Found(Found::default()).encode(1);
    *hidden.last_mut().unwrap() = 1;
    assert!(Reply::decode(&hidden).is_err());
    assert!(Reply::decode(&vec![0; REPLY + 1]).is_err());
}

#[test]
fn a_reply_has_room_for_the_greatest_blob() {
    assert!(Found::space(ROOM) >= Found::cost(Bucket::Crate));
    assert!(Found::space(1) >= Found::cost(Bucket::Line));
    assert_eq!(Bucket::Crate.tokens(), TOKENS);
}

#[test]
fn a_link_to_a_host_survives_its_text_and_others_say_what_is_wrong() {
    let host = Host {
        peer: PeerId::new([1; 38]),
        addresses: vec![Address::new("/ip4/192.0.2.1/udp/4001/quic-v1").unwrap()],
        work_bits: 20,
    };
    assert_eq!(Host::from_link(&format!(" {}\n", host.link())), Ok(host.clone()));
    assert_eq!(Host::from_link("kinfolk:abc"), Err(HostLinkError::Scheme));
    let link = host.link();
    assert!(matches!(Host::from_link(link.get(..link.len() - 4).unwrap()), Err(HostLinkError::Damaged(_))));
    let long = format!("{SCHEME}{}", "A".repeat(limits::INVITE_LINK));
    assert!(matches!(Host::from_link(&long), Err(HostLinkError::TooLong { .. })));
}
