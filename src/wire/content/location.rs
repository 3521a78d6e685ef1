use std::fmt;
use std::str::FromStr;

use minicbor::{Decode, Encode};

use crate::{codec, limits};

/// An angle in ten-millionths of a degree (about 1.1 cm on the equator).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Coordinate(i32);

/// A place on the WGS-84 globe as a `geo:` URI (RFC 5870): latitude, longitude, and how far off it may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GeoUri {
    latitude: Coordinate,
    longitude: Coordinate,
    /// Uncertainty in millimetres.
    uncertainty_mm: Option<u32>,
}

/// Why a text is no place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GeoUriError {
    /// The latitude is not a number of degrees from -90 to 90.
    #[error("latitude: expected a number from -90 to 90, found {found:?}")]
    Latitude {
        /// What was read.
        found: String,
    },
    /// The longitude is not a number of degrees from -180 to 180.
    #[error("longitude: expected a number from -180 to 180, found {found:?}")]
    Longitude {
        /// What was read.
        found: String,
    },
    /// The accuracy is not a number of metres from 0 to 4,000,000.
    #[error("accuracy: expected metres from 0 to 4000000, found {found:?}")]
    Uncertainty {
        /// What was read.
        found: String,
    },
    /// It has another form altogether.
    #[error("expected LAT,LON or LAT,LON,METRES or a geo: URI, found {found:?}")]
    Form {
        /// What was read.
        found: String,
    },
}

const PER_DEGREE: u32 = 10_000_000;
const MAX_UNCERTAINTY_M: u32 = 4_000_000;

impl Coordinate {
    /// Ten-millionths of a degree.
    #[must_use]
    pub const fn as_e7(self) -> i32 {
        self.0
    }

    /// Degrees.
    #[must_use]
    pub fn degrees(self) -> f64 {
        f64::from(self.0) / f64::from(PER_DEGREE)
    }

    /// Reads decimal degrees with at most `limit` whole ones; digits beyond the seventh are cut.
    fn parse(text: &str, limit: u32) -> Option<Self> {
        let (negative, digits) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let magnitude = parse_decimal(digits, 7)?;
        if magnitude > u64::from(limit).checked_mul(u64::from(PER_DEGREE))? {
            return None;
        }
        let e7 = i32::try_from(magnitude).ok()?;
        Some(Self(if negative { e7.checked_neg()? } else { e7 }))
    }
}

impl fmt::Display for Coordinate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 < 0 {
            f.write_str("-")?;
        }
        f.write_str(&show_decimal(self.0.unsigned_abs(), 7))
    }
}

/// Reads `digits[.digits]` as a whole number of the `places`-th decimal; further decimals are cut.
fn parse_decimal(text: &str, places: usize) -> Option<u64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let all_digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    if !all_digits(whole) || !all_digits(fraction) || whole.len() > 10 || fraction.len() > 32 {
        return None;
    }
    let mut digits: String = whole.to_owned();
    digits.extend(fraction.chars().chain(std::iter::repeat('0')).take(places));
    digits.parse().ok()
}

/// Writes a whole number of the `places`-th decimal without trailing zeros.
fn show_decimal(value: u32, places: usize) -> String {
    let padded = format!("{value:0width$}", width = places.saturating_add(1));
    let (whole, fraction) = padded.split_at(padded.len().saturating_sub(places));
    let fraction = fraction.trim_end_matches('0');
    if fraction.is_empty() { whole.to_owned() } else { format!("{whole}.{fraction}") }
}

impl GeoUri {
    /// Reads the parts as decimal text: degrees, degrees, metres.
    ///
    /// # Errors
    /// [`GeoUriError`] naming the part.
    pub fn from_parts(latitude: &str, longitude: &str, metres: Option<&str>) -> Result<Self, GeoUriError> {
        let cut = |text: &str| text.chars().take(40).collect::<String>();
        Ok(Self {
            latitude: Coordinate::parse(latitude, 90).ok_or_else(|| GeoUriError::Latitude { found: cut(latitude) })?,
            longitude: Coordinate::parse(longitude, 180)
                .ok_or_else(|| GeoUriError::Longitude { found: cut(longitude) })?,
            uncertainty_mm: metres
                .map(|text| {
                    parse_decimal(text, 3)
                        .and_then(|mm| u32::try_from(mm).ok())
                        .filter(|mm| *mm <= MAX_UNCERTAINTY_M.saturating_mul(1_000))
                        .ok_or_else(|| GeoUriError::Uncertainty { found: cut(text) })
                })
                .transpose()?,
        })
    }

    /// Degrees north.
    #[must_use]
    pub const fn latitude(&self) -> Coordinate {
        self.latitude
    }

    /// Degrees east.
    #[must_use]
    pub const fn longitude(&self) -> Coordinate {
        self.longitude
    }

    /// How far off it may be, in metres.
    #[must_use]
    pub fn accuracy_m(&self) -> Option<f64> {
        self.uncertainty_mm.map(|mm| f64::from(mm) / 1_000.0)
    }
}

impl fmt::Display for GeoUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "geo:{},{}", self.latitude, self.longitude)?;
        if let Some(mm) = self.uncertainty_mm {
            write!(f, ";u={}", show_decimal(mm, 3))?;
        }
        Ok(())
    }
}

impl FromStr for GeoUri {
    type Err = GeoUriError;

    /// Reads `geo:LAT,LON[;u=METRES]`, or `LAT,LON[,METRES]` as a person types it.
    fn from_str(text: &str) -> Result<Self, GeoUriError> {
        let form = || GeoUriError::Form { found: text.chars().take(80).collect() };
        if text.len() > limits::GEO_URI {
            return Err(form());
        }
        if let Some(uri) = text.strip_prefix("geo:") {
            let (place, metres) = match uri.split_once(';') {
                Some((place, parameter)) => (place, Some(parameter.strip_prefix("u=").ok_or_else(form)?)),
                None => (uri, None),
            };
            let (latitude, longitude) = place.split_once(',').ok_or_else(form)?;
            return Self::from_parts(latitude, longitude, metres);
        }
        let parts: Vec<&str> = text.split(',').map(str::trim).collect();
        match parts.as_slice() {
            [latitude, longitude] => Self::from_parts(latitude, longitude, None),
            [latitude, longitude, metres] => Self::from_parts(latitude, longitude, Some(metres)),
            _ => Err(form()),
        }
    }
}

#[derive(Encode, Decode)]
#[cbor(map)]
struct GeoUriBytes {
    #[n(0)]
    #[cbor(decode_with = "decode_uri")]
    uri: String,
}

fn decode_uri<C>(d: &mut minicbor::Decoder<'_>, _: &mut C) -> Result<String, minicbor::decode::Error> {
    codec::bounded_text(d, limits::GEO_URI)
}

impl<C> Encode<C> for GeoUri {
    fn encode<W: minicbor::encode::Write>(
        &self,
        e: &mut minicbor::Encoder<W>,
        c: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        GeoUriBytes { uri: self.to_string() }.encode(e, c)
    }
}

impl<'b, C> Decode<'b, C> for GeoUri {
    fn decode(d: &mut minicbor::Decoder<'b>, c: &mut C) -> Result<Self, minicbor::decode::Error> {
        let raw = GeoUriBytes::decode(d, c)?;
        if !raw.uri.starts_with("geo:") {
            return Err(minicbor::decode::Error::message("not a geo: URI"));
        }
        raw.uri.parse().map_err(|_| minicbor::decode::Error::message("not a place"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_survives_its_uri() {
        for (typed, uri) in [
            ("47.3769,8.5417", "geo:47.3769,8.5417"),
            ("-33.86 , 151.2094,12.5", "geo:-33.86,151.2094;u=12.5"),
            ("90,-180,0", "geo:90,-180;u=0"),
            ("0.00000019,0", "geo:0.0000001,0"),
            ("geo:1,2;u=3", "geo:1,2;u=3"),
        ] {
            let place: GeoUri = typed.parse().unwrap();
            assert_eq!(place.to_string(), uri);
            assert_eq!(uri.parse(), Ok(place));
        }
    }

    #[test]
    fn what_is_no_place_is_refused_by_its_part() {
        assert!(matches!("91,0".parse::<GeoUri>(), Err(GeoUriError::Latitude { .. })));
        assert!(matches!("90.0000001,0".parse::<GeoUri>(), Err(GeoUriError::Latitude { .. })));
        assert!(matches!("0,180.1".parse::<GeoUri>(), Err(GeoUriError::Longitude { .. })));
        assert!(matches!("0,NaN".parse::<GeoUri>(), Err(GeoUriError::Longitude { .. })));
        assert!(matches!("0,1e3".parse::<GeoUri>(), Err(GeoUriError::Longitude { .. })));
        assert!(matches!("0,0,-1".parse::<GeoUri>(), Err(GeoUriError::Uncertainty { .. })));
        assert!(matches!("0,0,4000001".parse::<GeoUri>(), Err(GeoUriError::Uncertainty { .. })));
        assert!(matches!("here".parse::<GeoUri>(), Err(GeoUriError::Form { .. })));
        assert!(matches!("geo:1,2;crs=moon".parse::<GeoUri>(), Err(GeoUriError::Form { .. })));
    }
}
