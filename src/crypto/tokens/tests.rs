use data_encoding::HEXLOWER;
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng, TryCryptoRng, TryRng};

use super::*;

/// RFC 9497, appendix A.1.2: ristretto255-SHA512, VOPRF mode.
mod rfc9497 {
    pub(super) const SECRET: &str = "e6f73f344b79b379f1a0dd37e07ff62e38d9f71345ce62ae3a9bc60b04ccd909";
    pub(super) const PUBLIC: &str = "c803e2cc6b05fc15064549b5920659ca4a77b2cca6f04f6b357009335476ad4e";

    /// The two inputs of all three vectors, and the blinded and evaluated points and outputs of the first two.
    pub(super) const INPUTS: [&str; 2] = ["00", "5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a"];
    pub(super) const BLIND: &str = "64d37aed22a27f5191de1c1d69fadb899d8862b58eb4220029e036ec4c1f6706";
    pub(super) const BLINDED: [&str; 2] = [
        "863f330cc1a1259ed5a5998a23acfd37fb4351a793a5b3c090b642ddc439b945",
        "cc0b2a350101881d8a4cba4c80241d74fb7dcbfde4a61fde2f91443c2bf9ef0c",
    ];
    pub(super) const EVALUATED: [&str; 2] = [
        "aa8fa048764d5623868679402ff6108d2521884fa138cd7f9c7669a9a014267e",
        "60a59a57208d48aca71e9e850d22674b611f752bed48b36f7a91b372bd7ad468",
    ];
    pub(super) const PROOFS: [&str; 2] = [
        "ddef93772692e535d1a53903db24367355cc2cc78de93b3be5a8ffcc6985dd066d4346421d17bf5117a2a1ff0fcb2a759f58a539dfbe857a40bce4cf49ec600d",
        "401a0da6264f8cf45bb2f5264bc31e109155600babb3cd4e5af7d181a2c9dc0a67154fabf031fd936051dec80b0b6ae29c9503493dde7393b722eafdf5a50b02",
    ];
    pub(super) const PROOF_SCALAR: &str = "222a5e897cf59db8145db8d16e597e8facb80ae7d4e26d9881aa6f61d645fc0e";
    pub(super) const OUTPUTS: [&str; 2] = [
        "b58cfbe118e0cb94d79b5fd6a6dafb98764dff49c14e1770b566e42402da1a7da4d8527693914139caee5bd03903af43a491351d23b430948dd50cde10d32b3c",
        "8a9a2f3c7f085b65933594309041fc1898d42d0858e59f90814ae90571a6df60356f4610bf816f27afdd84f47719e480906d27ecd994985890e5f539e7ea74b6",
    ];

    /// The third: both inputs at once, the second under another blind.
    pub(super) const BLIND_2: &str = "222a5e897cf59db8145db8d16e597e8facb80ae7d4e26d9881aa6f61d645fc0e";
    pub(super) const BLINDED_2: &str = "90a0145ea9da29254c3a56be4fe185465ebb3bf2a1801f7124bbbadac751e654";
    pub(super) const EVALUATED_2: &str = "cc5ac221950a49ceaa73c8db41b82c20372a4c8d63e5dded2db920b7eee36a2a";
    pub(super) const PROOF_BOTH: &str = "cc203910175d786927eeb44ea847328047892ddf8590e723c37205cb74600b0a5ab5337c8eb4ceae0494c2cf89529dcf94572ed267473d567aeed6ab873dee08";
    pub(super) const PROOF_SCALAR_BOTH: &str = "419c4f4f5052c53c45f3da494d2b67b220d02118e0857cdbcf037f9ea84bbe0c";
}

fn hex(text: &str) -> Vec<u8> {
    HEXLOWER.decode(text.as_bytes()).unwrap()
}

fn element(text: &str) -> GroupElement {
    GroupElement::new(hex(text).try_into().unwrap())
}

/// A generator that yields what a vector says.
struct Given(std::collections::VecDeque<u8>);

impl Given {
    fn of(scalars: &[&str]) -> Self {
        Self(scalars.iter().flat_map(|text| hex(text)).collect())
    }
}

impl TryRng for Given {
    type Error = std::convert::Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        let mut bytes = [0; 4];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        let mut bytes = [0; 8];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Self::Error> {
        bytes.iter_mut().for_each(|byte| *byte = self.0.pop_front().expect("the vector draws no more"));
        Ok(())
    }
}

impl TryCryptoRng for Given {}

fn rfc_key() -> TokenKey {
    TokenKey::from_bytes(&hex(&[rfc9497::SECRET, rfc9497::PUBLIC].concat())).unwrap()
}

fn rng(seed: u64) -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(seed)
}

#[test]
fn the_vectors_of_rfc_9497_blind_evaluate_prove_and_finish() {
    let key = rfc_key();
    assert_eq!(TokenKey(VoprfServer::new_with_key(&hex(rfc9497::SECRET)).unwrap()).public_key(), key.public_key());
    assert_eq!(key.public_key(), element(rfc9497::PUBLIC));
    for at in 0..2 {
        let input = hex(rfc9497::INPUTS[at]);
        let drawn = VoprfClient::<Suite>::blind(&input, &mut Older(&mut Given::of(&[rfc9497::BLIND]))).unwrap();
        assert_eq!(drawn.message.serialize().to_vec(), hex(rfc9497::BLINDED[at]));
        let (evaluated, proof) =
            key.issue(&mut Given::of(&[rfc9497::PROOF_SCALAR]), &[element(rfc9497::BLINDED[at])]).unwrap();
        assert_eq!(evaluated, [element(rfc9497::EVALUATED[at])]);
        assert_eq!(proof.to_vec(), hex(rfc9497::PROOFS[at]));
        let [evaluated] = [EvaluationElement::deserialize(evaluated[0].as_bytes()).unwrap()];
        let proof = Proof::deserialize(&proof).unwrap();
        let output = drawn.state.finalize(&input, &evaluated, &proof, key.0.get_public_key()).unwrap();
        assert_eq!(output.to_vec(), hex(rfc9497::OUTPUTS[at]));
        assert_eq!(key.0.evaluate(&input).unwrap().to_vec(), hex(rfc9497::OUTPUTS[at]));
    }
}

#[test]
fn the_batch_of_rfc_9497_has_one_proof() {
    let blinded = [element(rfc9497::BLINDED[0]), element(rfc9497::BLINDED_2)];
    let (evaluated, proof) = rfc_key().issue(&mut Given::of(&[rfc9497::PROOF_SCALAR_BOTH]), &blinded).unwrap();
    assert_eq!(evaluated, [element(rfc9497::EVALUATED[0]), element(rfc9497::EVALUATED_2)]);
    assert_eq!(proof.to_vec(), hex(rfc9497::PROOF_BOTH));
    let inputs = rfc9497::INPUTS.map(hex);
    let blinds = [rfc9497::BLIND, rfc9497::BLIND_2];
    let clients: Vec<_> = (0..2)
        .map(|at| VoprfClient::<Suite>::blind(&inputs[at], &mut Older(&mut Given::of(&[blinds[at]]))).unwrap().state)
        .collect();
    let evaluated: Vec<_> =
        evaluated.iter().map(|element| EvaluationElement::deserialize(element.as_bytes()).unwrap()).collect();
    let proof = Proof::deserialize(&proof).unwrap();
    let outputs = VoprfClient::batch_finalize(&inputs, &clients, &evaluated, &proof, rfc_key().0.get_public_key());
    let outputs: Vec<_> = outputs.unwrap().map(|output| output.unwrap().to_vec()).collect();
    assert_eq!(outputs, rfc9497::OUTPUTS.map(hex));
}

#[test]
fn tokens_hold_under_the_key_that_issued_them_and_no_other() {
    let (key, other) = (TokenKey::generate(&mut rng(1)), TokenKey::generate(&mut rng(2)));
    let (state, blinded) = TokenRequest::begin(&mut rng(3), 7, 5).unwrap();
    assert_eq!(TokenRequest::read(state.as_slice()), Some((7, 5)));
    assert_eq!(TokenRequest::blinded(state.as_slice()), blinded);
    assert_eq!((TokenRequest::read(&[0; 3]), TokenRequest::blinded(&[0; 3])), (None, vec![]));
    let (evaluated, proof) = key.issue(&mut rng(4), &blinded).unwrap();
    let tokens = TokenRequest::finish(state.as_slice(), &key.public_key(), &evaluated, &proof).unwrap();
    assert_eq!(tokens.len(), 5);
    let again = TokenKey::from_bytes(key.to_bytes().as_slice()).unwrap();
    for token in &tokens {
        assert_eq!(token.epoch, 7);
        assert!(key.holds(token) && again.holds(token));
        assert!(!other.holds(token));
        for at in 0..32 {
            let mut altered = *token;
            altered.output[at] ^= 1;
            assert!(!key.holds(&altered), "{at}");
        }
        let mut altered = *token;
        altered.nonce[0] ^= 1;
        assert!(!key.holds(&altered));
    }
    let nonces: std::collections::BTreeSet<_> = tokens.iter().map(|token| token.nonce).collect();
    assert_eq!(nonces.len(), 5);
}

#[test]
fn h09_a_host_that_issues_under_another_key_than_it_announced_is_found_out() {
    let (key, marked) = (TokenKey::generate(&mut rng(1)), TokenKey::generate(&mut rng(2)));
    let (state, blinded) = TokenRequest::begin(&mut rng(3), 7, 3).unwrap();
    let finish = |evaluated: &[GroupElement], proof: &[u8; 64]| {
        TokenRequest::finish(state.as_slice(), &key.public_key(), evaluated, proof)
    };
    let (good, proof) = key.issue(&mut rng(4), &blinded).unwrap();
    assert!(finish(&good, &proof).is_ok());
    let (of_other, other_proof) = marked.issue(&mut rng(5), &blinded).unwrap();
    assert_eq!(finish(&of_other, &other_proof), Err(TokenError::Proof));
    assert_eq!(finish(&of_other, &proof), Err(TokenError::Proof));
    // One of three under a key of its own, in another order, too many, fewer than proved, no points.
    let one_marked = [good[0], of_other[1], good[2]];
    let swapped = [good[1], good[0], good[2]];
    let too_many = [good[0], good[1], good[2], good[0]];
    let no_points = [GroupElement::new([0xff; 32]); 3];
    let neutral = [GroupElement::new([0; 32]); 3];
    for wrong in [&one_marked[..], &swapped, &too_many, &good[..2], &no_points, &neutral] {
        assert_eq!(finish(wrong, &proof), Err(TokenError::Proof));
    }
    for at in 0..64 {
        let mut altered = proof;
        altered[at] ^= 1;
        assert_eq!(finish(&good, &altered), Err(TokenError::Proof), "{at}");
    }
    assert_eq!(finish(&good, &[0; 64]), Err(TokenError::Proof));
}

#[test]
fn a_host_may_issue_fewer_than_were_asked_for() {
    let key = TokenKey::generate(&mut rng(1));
    let (state, blinded) = TokenRequest::begin(&mut rng(3), 7, 3).unwrap();
    for count in 0..3 {
        let (evaluated, proof) = key.issue(&mut rng(4), &blinded[..count]).unwrap();
        let tokens = TokenRequest::finish(state.as_slice(), &key.public_key(), &evaluated, &proof).unwrap();
        assert_eq!(tokens.len(), count);
        assert!(tokens.iter().all(|token| key.holds(token)));
    }
}

#[test]
fn what_is_no_point_is_not_evaluated() {
    let key = TokenKey::generate(&mut rng(1));
    let (_, mut blinded) = TokenRequest::begin(&mut rng(3), 7, 2).unwrap();
    for wrong in [[0; 32], [0xff; 32], [1; 32]] {
        blinded[1] = GroupElement::new(wrong);
        assert_eq!(key.issue(&mut rng(4), &blinded), Err(TokenError::Element));
    }
}

#[test]
fn bytes_that_are_no_key_or_no_request_are_refused() {
    let key = TokenKey::generate(&mut rng(1));
    let bytes = key.to_bytes();
    for length in [0, 32, 63] {
        assert_eq!(TokenKey::from_bytes(&bytes.as_slice()[..length]).err(), Some(TokenError::Bytes));
    }
    assert!(TokenKey::from_bytes(&[0; 64]).is_err());
    assert!(TokenKey::from_bytes(&[bytes.as_slice(), &[0]].concat()).is_err());
    let (state, blinded) = TokenRequest::begin(&mut rng(3), 7, 2).unwrap();
    let (evaluated, proof) = key.issue(&mut rng(4), &blinded).unwrap();
    for length in [0, 3, 5, 163] {
        let refused = TokenRequest::finish(&state.as_slice()[..length], &key.public_key(), &evaluated, &proof).err();
        assert_eq!(refused, Some(TokenError::Bytes), "{length}");
    }
    assert_eq!(TokenRequest::finish(&[0; 164], &key.public_key(), &evaluated, &proof), Err(TokenError::Bytes));
}

#[test]
fn what_is_sent_to_be_evaluated_says_nothing_of_the_token() {
    // The same nonces blinded anew are other points, and the tokens that come of them the same.
    let key = TokenKey::generate(&mut rng(1));
    let mut nonce = [0; 16];
    rng(9).fill_bytes(&mut nonce);
    let [one, two] = [1, 2].map(|seed| VoprfClient::<Suite>::blind(&nonce, &mut Older(&mut rng(seed))).unwrap());
    assert_ne!(one.message.serialize(), two.message.serialize());
    let outputs = [one, two].map(|drawn| {
        let blinded = [GroupElement::new(drawn.message.serialize().into())];
        let (evaluated, proof) = key.issue(&mut rng(4), &blinded).unwrap();
        let state = [&7_u32.to_be_bytes()[..], &nonce, &drawn.state.serialize()].concat();
        TokenRequest::finish(&state, &key.public_key(), &evaluated, &proof).unwrap()
    });
    assert_eq!(outputs[0], outputs[1]);
}
