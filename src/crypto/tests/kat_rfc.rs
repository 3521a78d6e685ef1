//! The test vectors of the specifications themselves, apart from Wycheproof: RFC 7748 (X25519), RFC 8032 (Ed25519),
//! RFC 8439 (ChaCha20-Poly1305), draft-irtf-cfrg-xchacha-03 (XChaCha20-Poly1305), RFC 5869 (HKDF), RFC 4231 (HMAC).
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test says so by failing"
)]

use data_encoding::HEXLOWER;
use kinfolk_crypto::dh::KeyPair;
use kinfolk_crypto::{aead, kdf};

fn hex(text: &str) -> Vec<u8> {
    HEXLOWER.decode(text.as_bytes()).unwrap()
}

fn hex_array<const N: usize>(text: &str) -> [u8; N] {
    hex(text).try_into().unwrap()
}

/// RFC 7748 section 5.2: k times u, both replaced after each step.
#[test]
fn x25519_gives_the_iterated_values_of_rfc_7748() {
    let mut u = [0; 32];
    u[0] = 9;
    let mut k = u;
    for step in 1..=1_000 {
        let result = *KeyPair::from_secret(k).diffie_hellman(&u).unwrap();
        (u, k) = (k, result);
        if step == 1 {
            assert_eq!(k, hex_array("422c8e7a6227d7bca1350b3e2bb7279f7897b87bb6854b783c60e80311ae3079"));
        }
    }
    assert_eq!(k, hex_array("684cf59ba83309552800ef566f2f4d3c1c3887c49360e3875f2eb94d99532c51"));
}

/// RFC 7748 section 5.2: the two single values.
#[test]
fn x25519_gives_the_single_values_of_rfc_7748() {
    for (scalar, u, result) in [
        (
            "a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4",
            "e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c",
            "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552",
        ),
        (
            "4b66e9d4d1b4673c5ad22691957d6af5c11b6421e0ea01d42ca4169e7918ba0d",
            "e5210f12786811d3f4b7959d0538ae2c31dbe7106fc03c3efc4cd549c715a493",
            "95cbde9476e8907d7aade45cb4b873f88b595a68799fa152e6f8f7647aac7957",
        ),
    ] {
        let shared = KeyPair::from_secret(hex_array(scalar)).diffie_hellman(&hex_array(u)).unwrap();
        assert_eq!(*shared, hex_array(result));
    }
}

/// RFC 7748 section 6.1.
#[test]
fn x25519_agrees_as_in_rfc_7748() {
    let alice = KeyPair::from_secret(hex_array("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a"));
    let bob = KeyPair::from_secret(hex_array("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb"));
    assert_eq!(alice.public(), &hex_array("8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a"));
    assert_eq!(bob.public(), &hex_array("de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f"));
    let shared = hex_array("4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742");
    assert_eq!(*alice.diffie_hellman(bob.public()).unwrap(), shared);
    assert_eq!(*bob.diffie_hellman(alice.public()).unwrap(), shared);
}

const SUNSCREEN: &[u8] =
    b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, \
    sunscreen would be it.";

/// RFC 8439 section 2.8.2.
#[test]
fn chacha20_poly1305_seals_as_in_rfc_8439() {
    let key = hex_array("808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f");
    let nonce = hex_array("070000004041424344454647");
    let mut buffer = SUNSCREEN.to_vec();
    let tag = aead::seal(&key, &nonce, &hex("50515253c0c1c2c3c4c5c6c7"), &mut buffer);
    let sealed =
        hex("d31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d63dbea45e8ca9671282fafb69da92728b1a71\
         de0a9e060b2905d6a5b67ecd3b3692ddbd7f2d778b8c9803aee328091b58fab324e4fad675945585808b4831d7bc3ff4def0\
         8e4b7a9de576d26586cec64b6116");
    assert_eq!((buffer, tag), (sealed, hex_array("1ae10b594f09e26a7e902ecbd0600691")));
}

/// RFC 8439 appendix A.5.
#[test]
fn chacha20_poly1305_opens_as_in_rfc_8439() {
    let key = hex_array("1c9240a5eb55d38af333888604f6b5f0473917c1402b80099dca5cbc207075c0");
    let nonce = hex_array("000000000102030405060708");
    let tag = hex_array("eead9d67890cbb22392336fea1851f38");
    let mut buffer =
        hex("64a0861575861af460f062c79be643bd5e805cfd345cf389f108670ac76c8cb24c6cfc18755d43eea09ee94e382d26b0bdb7\
         b73c321b0100d4f03b7f355894cf332f830e710b97ce98c8a84abd0b948114ad176e008d33bd60f982b1ff37c8559797a06e\
         f4f0ef61c186324e2b3506383606907b6a7c02b0f9f6157b53c867e4b9166c767b804d46a59b5216cde7a4e99040c5a40433\
         225ee282a1b0a06c523eaf4534d7f83fa1155b0047718cbc546a0d072b04b3564eea1b422273f548271a0bb2316053fa7699\
         1955ebd63159434ecebb4e466dae5a1073a6727627097a1049e617d91d361094fa68f0ff77987130305beaba2eda04df997b\
         714d6c6f2c29a6ad5cb4022b02709b");
    assert_eq!(aead::open(&key, &nonce, &hex("f33388860000000000004e91"), &mut buffer, &tag), Ok(()));
    let plaintext = "Internet-Drafts are draft documents valid for a maximum of six months and may be updated, \
        replaced, or obsoleted by other documents at any time. It is inappropriate to use Internet-Drafts as \
        reference material or to cite them other than as /\u{201c}work in progress./\u{201d}";
    assert_eq!(buffer, plaintext.as_bytes());
}

/// draft-irtf-cfrg-xchacha-03 appendix A.3.1.
#[test]
fn xchacha20_poly1305_seals_and_opens_as_in_its_draft() {
    let key = hex_array("808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f");
    let nonce = hex_array("404142434445464748494a4b4c4d4e4f5051525354555657");
    let associated = hex("50515253c0c1c2c3c4c5c6c7");
    let mut buffer = SUNSCREEN.to_vec();
    let tag = aead::xseal(&key, &nonce, &associated, &mut buffer);
    let sealed =
        hex("bd6d179d3e83d43b9576579493c0e939572a1700252bfaccbed2902c21396cbb731c7f1b0b4aa6440bf3a82f4eda7e39ae64\
         c6708c54c216cb96b72e1213b4522f8c9ba40db5d945b11b69b982c1bb9e3f3fac2bc369488f76b2383565d3fff921f9664c\
         97637da9768812f615c68b13b52e");
    assert_eq!((buffer.as_slice(), tag), (sealed.as_slice(), hex_array("c0875924c1c7987947deafd8780acf49")));
    assert_eq!(aead::xopen(&key, &nonce, &associated, &mut buffer, &tag), Ok(()));
    assert_eq!(buffer, SUNSCREEN);
}

/// RFC 8032 section 7.1: secret key, public key, message, signature. Signed by both crates, verified by both rules.
#[test]
fn ed25519_signs_and_verifies_as_in_rfc_8032() {
    let cases = [
        (
            "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
            "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
            "",
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0\
             595bbe24655141438e7a100b",
        ),
        (
            "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
            "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
            "72",
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eae\
             b4302aeeb00d291612bb0c00",
        ),
        (
            "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
            "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
            "af82",
            "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9\
             716ed28dc027beceea1ec40a",
        ),
        (
            "f5e5767cf153319517630f226876b86c8160cc583bc013744c6bf255f5cc0ee5",
            "278117fc144c72340f67d0f2316e8386ceffbf2b2428c9c51fef7c597f1d426e",
            "08b8b2b733424243760fe426a4b54908632110a66c2f6591eabd3345e3e4eb98fa6e264bf09efe12ee50f8f54e9f77b1e355\
             f6c50544e23fb1433ddf73be84d879de7c0046dc4996d9e773f4bc9efe5738829adb26c81b37c93a1b270b20329d658675fc\
             6ea534e0810a4432826bf58c941efb65d57a338bbd2e26640f89ffbc1a858efcb8550ee3a5e1998bd177e93a7363c344fe6b\
             199ee5d02e82d522c4feba15452f80288a821a579116ec6dad2b3b310da903401aa62100ab5d1a36553e06203b33890cc9b8\
             32f79ef80560ccb9a39ce767967ed628c6ad573cb116dbefefd75499da96bd68a8a97b928a8bbc103b6621fcde2beca1231d\
             206be6cd9ec7aff6f6c94fcd7204ed3455c68c83f4a41da4af2b74ef5c53f1d8ac70bdcb7ed185ce81bd84359d44254d9562\
             9e9855a94a7c1958d1f8ada5d0532ed8a5aa3fb2d17ba70eb6248e594e1a2297acbbb39d502f1a8c6eb6f1ce22b3de1a1f40\
             cc24554119a831a9aad6079cad88425de6bde1a9187ebb6092cf67bf2b13fd65f27088d78b7e883c8759d2c4f5c65adb7553\
             878ad575f9fad878e80a0c9ba63bcbcc2732e69485bbc9c90bfbd62481d9089beccf80cfe2df16a2cf65bd92dd597b0707e0\
             917af48bbb75fed413d238f5555a7a569d80c3414a8d0859dc65a46128bab27af87a71314f318c782b23ebfe808b82b0ce26\
             401d2e22f04d83d1255dc51addd3b75a2b1ae0784504df543af8969be3ea7082ff7fc9888c144da2af58429ec96031dbcad3\
             dad9af0dcbaaaf268cb8fcffead94f3c7ca495e056a9b47acdb751fb73e666c6c655ade8297297d07ad1ba5e43f1bca32301\
             651339e22904cc8c42f58c30c04aafdb038dda0847dd988dcda6f3bfd15c4b4c4525004aa06eeff8ca61783aacec57fb3d1f\
             92b0fe2fd1a85f6724517b65e614ad6808d6f6ee34dff7310fdc82aebfd904b01e1dc54b2927094b2db68d6f903b68401ade\
             bf5a7e08d78ff4ef5d63653a65040cf9bfd4aca7984a74d37145986780fc0b16ac451649de6188a7dbdf191f64b5fc5e2ab4\
             7b57f7f7276cd419c17a3ca8e1b939ae49e488acba6b965610b5480109c8b17b80e1b7b750dfc7598d5d5011fd2dcc5600a3\
             2ef5b52a1ecc820e308aa342721aac0943bf6686b64b2579376504ccc493d97e6aed3fb0f9cd71a43dd497f01f17c0e2cb37\
             97aa2a2f256656168e6c496afc5fb93246f6b1116398a346f1a641f3b041e989f7914f90cc2c7fff357876e506b50d334ba7\
             7c225bc307ba537152f3f1610e4eafe595f6d9d90d11faa933a15ef1369546868a7f3a45a96768d40fd9d03412c091c6315c\
             f4fde7cb68606937380db2eaaa707b4c4185c32eddcdd306705e4dc1ffc872eeee475a64dfac86aba41c0618983f8741c5ef\
             68d3a101e8a3b8cac60c905c15fc910840b94c00a0b9d0",
            "0aab4c900501b3e24d7cdf4663326a3a87df5e4843b2cbdb67cbf6e460fec350aa5371b1508f9f4528ecea23c436d94b5e8fcd4f\
             681e30a6ac00a9704a188a03",
        ),
        (
            "833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42",
            "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
            "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423\
             643ce80e2a9ac94fa54ca49f",
            "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b58909351fc9ac90b3ecfdfbc7c66431e0303dca179c\
             138ac17ad9bef1177331a704",
        ),
    ];
    for (secret, public, message, signature) in cases {
        let (secret, message): ([u8; 32], _) = (hex_array(secret), hex(message));
        let (public, signature): ([u8; 32], [u8; 64]) = (hex_array(public), hex_array(signature));

        let ours = ed25519_dalek::SigningKey::from_bytes(&secret);
        assert_eq!(ours.verifying_key().to_bytes(), public);
        assert_eq!(ed25519_dalek::Signer::sign(&ours, &message).to_bytes(), signature);
        let strict = ed25519_dalek::VerifyingKey::from_bytes(&public).unwrap();
        assert!(strict.verify_strict(&message, &ed25519_dalek::Signature::from_bytes(&signature)).is_ok());

        let theirs = ed25519_zebra::SigningKey::from(secret);
        assert_eq!(<[u8; 64]>::from(theirs.sign(&message)), signature);
        let zip_215 = ed25519_zebra::VerificationKey::try_from(public).unwrap();
        assert!(zip_215.verify(&ed25519_zebra::Signature::from(signature), &message).is_ok());
    }
}

/// RFC 5869 appendix A.1 to A.3: keying material, salt, info, output.
#[test]
fn hkdf_sha256_gives_the_values_of_rfc_5869() {
    let count = |from: u8, to: u8| (from..=to).collect::<Vec<u8>>();
    for (ikm, salt, info, okm) in [
        (
            vec![0x0b; 22],
            count(0x00, 0x0c),
            count(0xf0, 0xf9),
            "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865",
        ),
        (
            count(0x00, 0x4f),
            count(0x60, 0xaf),
            count(0xb0, 0xff),
            "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c65e590e09da327560\
             0c2f09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87",
        ),
        (
            vec![0x0b; 22],
            vec![],
            vec![],
            "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8",
        ),
    ] {
        let okm = hex(okm);
        let mut out = vec![0; okm.len()];
        assert_eq!(kdf::hkdf(&salt, &ikm, &[&info], &mut out), Ok(()));
        assert_eq!(out, okm);
    }
}

/// RFC 4231 sections 4.2 to 4.8: key, data, HMAC-SHA-256. Case 5 shows a truncated output.
#[test]
fn hmac_sha256_gives_the_values_of_rfc_4231() {
    for (key, data, mac) in [
        (vec![0x0b; 20], &b"Hi There"[..], "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"),
        (
            b"Jefe".to_vec(),
            b"what do ya want for nothing?",
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
        ),
        (vec![0xaa; 20], &[0xdd; 50], "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"),
        ((0x01..=0x19).collect(), &[0xcd; 50], "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b"),
        (vec![0x0c; 20], b"Test With Truncation", "a3b6167473100ee06e0c796c2955552b"),
        (
            vec![0xaa; 131],
            b"Test Using Larger Than Block-Size Key - Hash Key First",
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
        ),
        (
            vec![0xaa; 131],
            b"This is a test using a larger than block-size key and a larger than block-size data. The key needs to \
              be hashed before being used by the HMAC algorithm.",
            "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2",
        ),
    ] {
        let mac = hex(mac);
        assert_eq!(kdf::hmac(&key, &[data])[..mac.len()], mac);
    }
}

/// ZIP-215: the neutral point as key and as `R` with `S` = 0 satisfies the equation whatever the message. Strict checking
/// and admission to a sigchain refuse such a key, and neither way takes an `S` that was raised by the group's order.
#[test]
fn a08_the_two_ways_of_verifying_differ_where_they_are_meant_to() {
    use kinfolk_crypto::label::Label;
    use kinfolk_crypto::sign::{is_admissible, sign, verify_strict, verify_zip215};

    let mut neutral = [0; 32];
    neutral[0] = 1;
    let mut signature = [0; 64];
    signature[0] = 1;
    assert_eq!(verify_zip215(&neutral, Label::Entry, &[b"anything"], &signature), Ok(()));
    assert!(verify_strict(&neutral, Label::Entry, &[b"anything"], &signature).is_err());
    assert!(!is_admissible(&neutral));

    let key = ed25519_dalek::SigningKey::from_bytes(&[7; 32]);
    let public = key.verifying_key().to_bytes();
    let honest = sign(&key, Label::Entry, &[b"any", b"thing"]);
    assert_eq!(honest, ed25519_dalek::Signer::sign(&key, b"kinfolk/1 entryanything").to_bytes());
    let mut raised = honest;
    let order: [u8; 32] = hex_array("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010");
    let mut carry = 0;
    for (byte, added) in raised[32..].iter_mut().zip(order) {
        let sum = u16::from(*byte) + u16::from(added) + carry;
        [*byte, _] = sum.to_le_bytes();
        carry = sum >> 8;
    }
    assert!(is_admissible(&public));
    for (signature, genuine) in [(honest, true), (raised, false)] {
        assert_eq!(verify_strict(&public, Label::Entry, &[b"anything"], &signature).is_ok(), genuine);
        assert_eq!(verify_zip215(&public, Label::Entry, &[b"anything"], &signature).is_ok(), genuine);
    }
}
