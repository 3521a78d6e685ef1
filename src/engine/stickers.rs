//! The two bundled sticker packs: what a `PACK/ID` of a sticker message shows (docs/protocol/05-content.md).
//!
//! The drawings are ours and stand in `stickers/PACK/*.svg` beside the pictures that `scripts/render-stickers.py` makes
//! of them; `pack.json` lists a pack after Matrix MSC2545, with the SHA-256 of every picture. All of it is CC0-1.0.
//! The faces read this list through the door. A sticker that is not in it is shown by its name.

use kinfolk_wire::content::StickerId;

/// A set of stickers with one hand and one licence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pack {
    /// The first part of `PACK/ID`.
    pub id: &'static str,
    /// What a person calls it.
    pub title: &'static str,
    /// SPDX identifier.
    pub license: &'static str,
    /// In the order they are offered.
    pub stickers: &'static [Sticker],
}

/// One picture.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Sticker {
    /// The second part of `PACK/ID`.
    pub id: &'static str,
    /// The emoji nearest in meaning: what a face without pictures shows.
    pub emoji: &'static str,
    /// What is to be seen, for those who cannot see it.
    pub description: &'static str,
    /// Media type of `image`.
    pub mime: &'static str,
    /// The picture, 256 by 256 pixels.
    pub image: &'static [u8],
}

impl std::fmt::Debug for Sticker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Sticker({}, {} bytes)", self.id, self.image.len())
    }
}

macro_rules! sticker {
    ($pack:literal, $id:literal, $emoji:literal, $description:literal) => {
        Sticker {
            id: $id,
            emoji: $emoji,
            description: $description,
            mime: "image/png",
            image: include_bytes!(concat!("stickers/", $pack, "/", $id, ".png")),
        }
    };
}

static PACKS: [Pack; 2] = [
    Pack {
        id: "kin",
        title: "Kin",
        license: "CC0-1.0",
        stickers: &[
            sticker!("kin", "hello", "👋", "A coral creature waving hello"),
            sticker!("kin", "happy", "😊", "A yellow creature beaming with joy"),
            sticker!("kin", "laugh", "😂", "A blue creature laughing until the tears come"),
            sticker!("kin", "love", "❤️", "A coral creature hugging a big heart"),
            sticker!("kin", "hug", "🤗", "A green creature and a small yellow one in a hug"),
            sticker!("kin", "shy", "☺️", "A lilac creature blushing behind its paws"),
            sticker!("kin", "thinking", "🤔", "A green creature thinking it over"),
            sticker!("kin", "surprised", "😮", "A yellow creature taken by surprise"),
            sticker!("kin", "sad", "😢", "A blue creature with a tear, under a small cloud"),
            sticker!("kin", "grumpy", "😠", "A coral creature in a huff, arms crossed"),
            sticker!("kin", "tired", "😩", "A lilac creature, worn out and melting into its pillow"),
            sticker!("kin", "proud", "😎", "A green creature with a medal, proud of itself"),
        ],
    },
    Pack {
        id: "daily",
        title: "Daily",
        license: "CC0-1.0",
        stickers: &[
            sticker!("daily", "good-morning", "🌅", "A smiling sun rising over green hills"),
            sticker!("daily", "tea", "🍵", "A smiling cup of hot tea"),
            sticker!("daily", "lunch", "🍜", "A steaming bowl of noodles with an egg and chopsticks"),
            sticker!("daily", "on-my-way", "🛴", "A little coral creature speeding along on a scooter"),
            sticker!("daily", "working", "💻", "A green creature typing behind a laptop, a cup beside it"),
            sticker!("daily", "rain", "☔", "A blue creature under an umbrella in the rain"),
            sticker!("daily", "home", "🏠", "A small red-roofed house with a heart rising from the chimney"),
            sticker!("daily", "thanks", "💐", "A yellow creature holding out a bunch of flowers"),
            sticker!("daily", "congratulations", "🎉", "A lilac creature in a party hat among confetti"),
            sticker!("daily", "sorry", "🙏", "A blue creature bowing its head beside a wilted flower"),
            sticker!("daily", "ok", "👍", "A coral creature giving a thumbs-up with a wink"),
            sticker!("daily", "good-night", "🌙", "A sleeping moon under a nightcap, with stars"),
        ],
    },
];

/// Every bundled pack.
#[must_use]
pub fn packs() -> &'static [Pack] {
    &PACKS
}

/// The sticker of that name, if it is bundled.
#[must_use]
pub fn find(id: &StickerId) -> Option<&'static Sticker> {
    PACKS
        .iter()
        .find(|pack| pack.id == id.pack())
        .and_then(|pack| pack.stickers.iter().find(|sticker| sticker.id == id.sticker()))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use sha2::{Digest, Sha256};

    use super::*;

    const LISTINGS: [(&str, &str); 2] =
        [("kin", include_str!("stickers/kin/pack.json")), ("daily", include_str!("stickers/daily/pack.json"))];

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn every_sticker_is_found_by_its_name_and_no_other_is() {
        let mut seen = BTreeSet::new();
        for pack in packs() {
            for sticker in pack.stickers {
                let id = StickerId::new(pack.id, sticker.id).unwrap();
                assert_eq!(find(&id), Some(sticker));
                assert!(seen.insert(id));
            }
        }
        assert_eq!(seen.len(), 24);
        for (pack, sticker) in [("kin", "tea"), ("daily", "hug"), ("other", "hello"), ("kin", "nobody")] {
            assert_eq!(find(&StickerId::new(pack, sticker).unwrap()), None);
        }
    }

    #[test]
    fn the_listings_say_what_the_packs_hold() {
        for (pack, (id, listing)) in packs().iter().zip(LISTINGS) {
            assert_eq!(pack.id, id);
            let listing: serde_json::Value = serde_json::from_str(listing).unwrap();
            assert_eq!(listing["pack"]["display_name"], pack.title);
            assert_eq!(listing["pack"]["license"], pack.license);
            assert_eq!(listing["images"].as_object().unwrap().len(), pack.stickers.len());
            for sticker in pack.stickers {
                let image = &listing["images"][sticker.id];
                assert_eq!(image["body"], sticker.description);
                assert_eq!(image["emoji"], sticker.emoji);
                assert_eq!(image["info"]["mimetype"], sticker.mime);
                assert_eq!(image["info"]["size"], sticker.image.len());
                assert_eq!(image["info"]["sha256"], hex(&Sha256::digest(sticker.image)), "{}", sticker.id);
            }
        }
    }

    #[test]
    fn every_picture_is_a_small_png() {
        for sticker in packs().iter().flat_map(|pack| pack.stickers) {
            assert!(sticker.image.len() <= 20_000, "{} has {} bytes", sticker.id, sticker.image.len());
            let (head, rest) = sticker.image.split_first_chunk::<16>().unwrap();
            assert_eq!(head, b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR");
            let (width, rest) = rest.split_first_chunk::<4>().unwrap();
            let height = rest.first_chunk::<4>().unwrap();
            assert_eq!((u32::from_be_bytes(*width), u32::from_be_bytes(*height)), (256, 256));
            assert!(sticker.image.ends_with(b"IEND\xae\x42\x60\x82"));
        }
    }

    #[test]
    fn every_sticker_can_be_told_without_seeing_it() {
        for sticker in packs().iter().flat_map(|pack| pack.stickers) {
            assert!(sticker.description.split_whitespace().count() >= 3, "{}", sticker.id);
            assert!(!sticker.emoji.is_ascii(), "{}", sticker.id);
        }
    }
}
