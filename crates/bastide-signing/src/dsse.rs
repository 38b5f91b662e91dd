//! Dead Simple Signing Envelope: what of a payload is signed (`secure-systems-lab/dsse`, protocol 1.0).

/// The only type of payload that is read or written here.
pub(crate) const IN_TOTO: &str = "application/vnd.in-toto+json";

/// The pre-authentication encoding. Lengths stand before what they measure, so that no two pairs of type and payload
/// have one encoding.
pub(crate) fn pae(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let head = format!("DSSEv1 {} {payload_type} {} ", payload_type.len(), payload.len());
    [head.as_bytes(), payload].concat()
}

/// What version 0.2 of the reference implementation signed by mistake: another prefix, and the payload as Python prints
/// it. Read only; the other prefix keeps the two apart.
pub(crate) fn pae_v0_2(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let head = format!("DSSEV1 {} {payload_type} {} ", payload_type.len(), payload.len());
    [head.into_bytes(), python_repr(payload)].concat()
}

/// `repr` of a `bytes` object.
fn python_repr(bytes: &[u8]) -> Vec<u8> {
    // Python prefers single quotes unless that would need escapes and double quotes would not.
    let quote = if bytes.contains(&b'\'') && !bytes.contains(&b'"') { b'"' } else { b'\'' };
    let mut out = Vec::with_capacity(bytes.len() + 3);
    out.extend([b'b', quote]);
    for &byte in bytes {
        match byte {
            b'\t' => out.extend(b"\\t"),
            b'\n' => out.extend(b"\\n"),
            b'\r' => out.extend(b"\\r"),
            b'\\' => out.extend(b"\\\\"),
            _ if byte == quote => out.extend([b'\\', byte]),
            b' '..=b'~' => out.push(byte),
            _ => out.extend(format!("\\x{byte:02x}").into_bytes()),
        }
    }
    out.push(quote);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_the_protocol_holds() {
        let encoded = pae("http://example.com/HelloWorld", b"hello world");
        assert_eq!(encoded, b"DSSEv1 29 http://example.com/HelloWorld 11 hello world");
        assert_eq!(pae("", b""), b"DSSEv1 0  0 ");
    }

    #[test]
    fn the_old_mistake_is_repeated_to_the_byte() {
        // Each from `f"{value}"` of CPython 3.11.
        for (bytes, repr) in [
            (&b"{\"a\": 1}\n"[..], &br#"b'{"a": 1}\n'"#[..]),
            (b"it's", br#"b"it's""#),
            (b"it's \"x\"", br#"b'it\'s "x"'"#),
            (b"\x00\x7f\xff\t\r\\", br"b'\x00\x7f\xff\t\r\\'"),
            (b"", b"b''"),
        ] {
            assert_eq!(python_repr(bytes), repr);
        }
        assert_eq!(pae_v0_2("t", b"x"), b"DSSEV1 1 t 1 b'x'");
    }
}
