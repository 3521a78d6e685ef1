//! Amounts of data as people type and read them.

/// Reads a whole number of bytes, or of the unit behind it: `KiB`, `MiB`, `GiB` or `TiB`, or `kB`, `MB`, `GB` or `TB` in
/// thousands.
pub(crate) fn parse_size(text: &str) -> Result<u64, String> {
    let form = || "expected a number of bytes, or one with a unit (KiB, MiB, GiB, TiB), as in 64MiB or 1GiB".to_owned();
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at_checked(digits).ok_or_else(form)?;
    let number: u64 = number.parse().map_err(|_| form())?;
    let bytes: u64 = match unit {
        "" | "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        "TiB" => 1 << 40,
        "kB" => 1_000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        "TB" => 1_000_000_000_000,
        _ => return Err(form()),
    };
    number.checked_mul(bytes).ok_or_else(|| "that is more than there is".to_owned())
}

/// An amount as people read it, in units of 1,024 and rounded down.
pub(crate) fn binary_size(bytes: u64) -> String {
    let (unit, name) = match bytes {
        0..0x400 => return format!("{bytes} B"),
        0x400..0x10_0000 => (1 << 10, "KiB"),
        0x10_0000..0x4000_0000 => (1 << 20, "MiB"),
        0x4000_0000..0x100_0000_0000 => (1 << 30, "GiB"),
        _ => (1_u64 << 40, "TiB"),
    };
    match bytes % unit * 10 / unit {
        0 => format!("{} {name}", bytes / unit),
        tenths => format!("{}.{tenths} {name}", bytes / unit),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_unit_is_read() {
        for (text, bytes) in [
            ("0", 0),
            ("4096", 4_096),
            ("7B", 7),
            ("3KiB", 3_072),
            ("64MiB", 67_108_864),
            ("1GiB", 1_073_741_824),
            ("2TiB", 2_199_023_255_552),
            ("5kB", 5_000),
            ("5MB", 5_000_000),
            ("5GB", 5_000_000_000),
            ("5TB", 5_000_000_000_000),
        ] {
            assert_eq!(parse_size(text), Ok(bytes), "{text}");
        }
    }

    #[test]
    fn what_is_no_size_is_refused() {
        for text in
            ["", "GiB", "-1", "1.5GiB", "1 GiB", "1gib", "1G", "1PiB", "1é", "16777216TiB", "99999999999999999999"]
        {
            assert!(parse_size(text).is_err(), "{text}");
        }
    }

    #[test]
    fn sizes_are_rounded_down_to_a_tenth() {
        let of = [0, 1_023, 1_024, 1_535, 1_536, 1_048_575, 1 << 20, 1 << 30, (1 << 30) + (1 << 29), 1 << 40];
        assert_eq!(
            of.map(binary_size),
            ["0 B", "1023 B", "1 KiB", "1.4 KiB", "1.5 KiB", "1023.9 KiB", "1 MiB", "1 GiB", "1.5 GiB", "1 TiB"]
        );
    }
}
