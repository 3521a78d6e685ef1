//! Reads a stream of server-sent events as the WHATWG HTML standard (section 9.2) writes them. Only `data` is of
//! interest: the events of the door name and number themselves within it.

/// The longest event that is read, in bytes.
const EVENT: usize = 1024 * 1024;

/// An event longer than is read.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("an event of more than {EVENT} bytes")]
pub(crate) struct TooLong;

/// The state between two pieces of the stream.
#[derive(Debug, Default)]
pub(crate) struct Parser {
    line: Vec<u8>,
    data: Vec<u8>,
}

impl Parser {
    /// Takes the next piece of the stream and gives the data of the events that end in it.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> Result<Vec<Vec<u8>>, TooLong> {
        let mut events = Vec::new();
        for byte in bytes {
            if *byte == b'\n' {
                self.end_line(&mut events);
            } else {
                self.line.push(*byte);
            }
            if self.line.len() + self.data.len() > EVENT {
                return Err(TooLong);
            }
        }
        Ok(events)
    }

    fn end_line(&mut self, events: &mut Vec<Vec<u8>>) {
        let line = std::mem::take(&mut self.line);
        let line = line.strip_suffix(b"\r").unwrap_or(&line);
        if line.is_empty() {
            let data = std::mem::take(&mut self.data);
            if !data.is_empty() {
                events.push(data);
            }
        } else if let Some(data) = line.strip_prefix(b"data:") {
            if !self.data.is_empty() {
                self.data.push(b'\n');
            }
            self.data.extend_from_slice(data.strip_prefix(b" ").unwrap_or(data));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(pieces: &[&str]) -> Vec<String> {
        let mut parser = Parser::default();
        let events = pieces.iter().flat_map(|piece| parser.push(piece.as_bytes()).unwrap());
        events.map(|event| String::from_utf8(event).unwrap()).collect()
    }

    #[test]
    fn events_are_found_wherever_the_pieces_are_cut() {
        let stream = ": alive\n\nid: 7\nevent: a\ndata: {\"a\":1}\n\ndata:{}\r\n\r\ndata: 1\ndata: 2\n\n";
        let expected = ["{\"a\":1}", "{}", "1\n2"];
        assert_eq!(all(&[stream]), expected);
        for cut in 1..stream.len() {
            assert_eq!(all(&[&stream[..cut], &stream[cut..]]), expected, "cut at {cut}");
        }
    }

    #[test]
    fn an_event_that_has_not_ended_is_not_given() {
        assert!(all(&["data: {}\n"]).is_empty());
    }

    #[test]
    fn an_endless_event_is_refused() {
        let mut parser = Parser::default();
        let piece = vec![b'x'; EVENT];
        assert_eq!(parser.push(&piece), Ok(vec![]));
        assert_eq!(parser.push(b"x"), Err(TooLong));
    }
}
