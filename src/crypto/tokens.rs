//! Blind tokens, by which a mailbox host admits deposits for those it serves without being able to tell for whom or from
//! whom: the VOPRF of RFC 9497 with ristretto255 and SHA-512, over nonces of 16 bytes (docs/protocol/07-mailbox.md).
//!
//! Who wants tokens draws nonces and sends them blinded; the host evaluates them under its key, and proves that all were
//! under the one that it told of, so that it cannot mark some of them. A token is a nonce and the first half of the
//! function's output; the host sees it for the first time when it is spent.

use rand_core::CryptoRng;
use subtle::ConstantTimeEq;
use voprf::{BlindedElement, EvaluationElement, Group, Proof, Ristretto255, VoprfClient, VoprfServer};
use zeroize::Zeroizing;

use kinfolk_wire::ids::GroupElement;
use kinfolk_wire::mailbox::Token;

use crate::secret::SecretBytes;

type Suite = Ristretto255;

const NONCE: usize = 16;
/// Bytes of a scalar, and of a point.
const WIDTH: usize = 32;
/// What is kept of one token that is awaited: its nonce, the factor that blinds it, and the blinded point.
const AWAITED: usize = NONCE + 2 * WIDTH;

/// Why tokens cannot be issued or taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Bytes that are no key, or no state of a request.
    #[error("these are not the bytes of a token key or a request for tokens")]
    Bytes,
    /// Something is no point of the group, or the neutral one.
    #[error("a blinded token is no point of ristretto255")]
    Element,
    /// Tokens were evaluated under another key than the one that the host told of, or are not those asked for.
    #[error("the host did not issue these tokens under the key that it announced")]
    Proof,
}

/// What a host issues tokens with. It wipes when dropped.
pub struct TokenKey(VoprfServer<Suite>);

impl TokenKey {
    /// Bytes of a key: its secret and its public half.
    pub const LENGTH: usize = 2 * WIDTH;

    /// Draws a key.
    #[must_use]
    #[allow(clippy::expect_used, reason = "it fails only where the generator does, and this one cannot")]
    pub fn generate<R: CryptoRng + ?Sized>(rng: &mut R) -> Self {
        Self(VoprfServer::new(&mut Older(rng)).expect("a generator that cannot fail"))
    }

    /// Reads a key that [`to_bytes`](Self::to_bytes) wrote.
    ///
    /// # Errors
    /// [`TokenError::Bytes`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, TokenError> {
        if bytes.len() != Self::LENGTH {
            return Err(TokenError::Bytes);
        }
        VoprfServer::deserialize(bytes).map(Self).map_err(|_| TokenError::Bytes)
    }

    /// The key as bytes: `secret 32 | public 32`.
    #[must_use]
    pub fn to_bytes(&self) -> SecretBytes {
        SecretBytes::new(Zeroizing::new(<[u8; Self::LENGTH]>::from(self.0.serialize())).to_vec())
    }

    /// What everybody is told, to check what is issued.
    #[must_use]
    pub fn public_key(&self) -> GroupElement {
        GroupElement::new(<Suite as Group>::serialize_elem(self.0.get_public_key()).into())
    }

    /// Evaluates blinded nonces, in their order, and proves that it was under this key (RFC 9497 section 3.3.2). None at
    /// all are evaluated to nothing, with a proof of zeros.
    ///
    /// # Errors
    /// [`TokenError::Element`].
    pub fn issue<R: CryptoRng + ?Sized>(
        &self,
        rng: &mut R,
        blinded: &[GroupElement],
    ) -> Result<(Vec<GroupElement>, [u8; 64]), TokenError> {
        if blinded.is_empty() {
            return Ok((Vec::new(), [0; 64]));
        }
        let blinded: Vec<BlindedElement<Suite>> = blinded
            .iter()
            .map(|element| BlindedElement::deserialize(element.as_bytes()).map_err(|_| TokenError::Element))
            .collect::<Result<_, _>>()?;
        let prepared: Vec<_> = self.0.batch_blind_evaluate_prepare(blinded.iter()).collect();
        let issued = self
            .0
            .batch_blind_evaluate_finish(&mut Older(rng), blinded.iter(), &prepared)
            .map_err(|_| TokenError::Element)?;
        let evaluated = issued.messages.map(|element| GroupElement::new(element.serialize().into())).collect();
        Ok((evaluated, issued.proof.serialize().into()))
    }

    /// Whether a token was issued under this key. Compared in constant time; whether it was spent is for the host to know.
    #[must_use]
    pub fn holds(&self, token: &Token) -> bool {
        let output = self.0.evaluate(&token.nonce);
        output.is_ok_and(|output| half(&output).ct_eq(&token.output).into())
    }
}

/// Tokens that are wanted of a host.
pub struct TokenRequest;

impl TokenRequest {
    /// Draws and blinds nonces. Says what is to be kept until they come back, which is secret, and what is sent.
    ///
    /// # Errors
    /// [`TokenError::Element`] where the generator yields what hashes to the neutral point, which does not happen.
    pub fn begin<R: CryptoRng + ?Sized>(
        rng: &mut R,
        epoch: u32,
        count: usize,
    ) -> Result<(SecretBytes, Vec<GroupElement>), TokenError> {
        let mut state = Zeroizing::new(Vec::with_capacity(count.saturating_mul(AWAITED).saturating_add(4)));
        state.extend_from_slice(&epoch.to_be_bytes());
        let mut blinded = Vec::with_capacity(count);
        for _ in 0..count {
            let mut nonce = [0; NONCE];
            rng.fill_bytes(&mut nonce);
            let drawn = VoprfClient::<Suite>::blind(&nonce, &mut Older(rng)).map_err(|_| TokenError::Element)?;
            state.extend_from_slice(&nonce);
            state.extend_from_slice(&*Zeroizing::new(<[u8; 2 * WIDTH]>::from(drawn.state.serialize())));
            blinded.push(GroupElement::new(drawn.message.serialize().into()));
        }
        Ok((SecretBytes::new(std::mem::take(&mut *state)), blinded))
    }

    /// The tokens, where what the host sent was evaluated under the public key: as many as it sent, which are the first
    /// of those asked for.
    ///
    /// # Errors
    /// [`TokenError::Bytes`] where the state is none, [`TokenError::Proof`] for anything that is wrong with what was sent.
    pub fn finish(
        state: &[u8],
        public_key: &GroupElement,
        evaluated: &[GroupElement],
        proof: &[u8; 64],
    ) -> Result<Vec<Token>, TokenError> {
        let (epoch, awaited) = state.split_first_chunk::<4>().ok_or(TokenError::Bytes)?;
        let epoch = u32::from_be_bytes(*epoch);
        let (awaited, rest) = awaited.as_chunks::<AWAITED>();
        if !rest.is_empty() {
            return Err(TokenError::Bytes);
        }
        let awaited = awaited.get(..evaluated.len()).ok_or(TokenError::Proof)?;
        if awaited.is_empty() {
            return Ok(Vec::new());
        }
        let (nonces, clients) = drawn(awaited)?;
        let wrong = |_| TokenError::Proof;
        let evaluated: Vec<EvaluationElement<Suite>> = evaluated
            .iter()
            .map(|element| EvaluationElement::deserialize(element.as_bytes()).map_err(wrong))
            .collect::<Result<_, _>>()?;
        let proof = Proof::deserialize(proof).map_err(wrong)?;
        let public_key = <Suite as Group>::deserialize_elem(public_key.as_bytes()).map_err(wrong)?;
        let outputs = VoprfClient::batch_finalize(&nonces, &clients, &evaluated, &proof, public_key).map_err(wrong)?;
        outputs
            .zip(&nonces)
            .map(|(output, nonce)| Ok(Token { epoch, nonce: *nonce, output: half(&output.map_err(wrong)?) }))
            .collect()
    }

    /// What was sent to be evaluated, so that it can be sent again; nothing where the state is none.
    #[must_use]
    pub fn blinded(state: &[u8]) -> Vec<GroupElement> {
        let awaited = state.split_first_chunk::<4>().map_or(&[][..], |(_, awaited)| awaited);
        let (awaited, _) = awaited.as_chunks::<AWAITED>();
        let blinded = awaited.iter().filter_map(|awaited| awaited.last_chunk::<WIDTH>());
        blinded.map(|element| GroupElement::new(*element)).collect()
    }

    /// Under which key a request was for tokens, and for how many.
    #[must_use]
    pub fn read(state: &[u8]) -> Option<(u32, usize)> {
        let (epoch, awaited) = state.split_first_chunk::<4>()?;
        Some((u32::from_be_bytes(*epoch), awaited.as_chunks::<AWAITED>().0.len()))
    }
}

type Drawn = (Vec<[u8; NONCE]>, Vec<VoprfClient<Suite>>);

fn drawn(awaited: &[[u8; AWAITED]]) -> Result<Drawn, TokenError> {
    let read = |awaited: &[u8; AWAITED]| {
        let (nonce, client) = awaited.split_first_chunk::<NONCE>()?;
        Some((*nonce, VoprfClient::deserialize(client).ok()?))
    };
    let pairs: Option<Vec<_>> = awaited.iter().map(read).collect();
    Ok(pairs.ok_or(TokenError::Bytes)?.into_iter().unzip())
}

/// What of the function's output is in a token.
fn half(output: &[u8]) -> [u8; WIDTH] {
    output.first_chunk().copied().unwrap_or_default()
}

/// Our generator, for a crate that knows the trait as it was before.
struct Older<'a, R: ?Sized>(&'a mut R);

impl<R: CryptoRng + ?Sized> rand_core_09::RngCore for Older<'_, R> {
    fn next_u32(&mut self) -> u32 {
        self.0.next_u32()
    }

    fn next_u64(&mut self) -> u64 {
        self.0.next_u64()
    }

    fn fill_bytes(&mut self, bytes: &mut [u8]) {
        self.0.fill_bytes(bytes);
    }
}

impl<R: CryptoRng + ?Sized> rand_core_09::CryptoRng for Older<'_, R> {}

#[cfg(test)]
#[path = "tokens/tests.rs"]
mod tests;
