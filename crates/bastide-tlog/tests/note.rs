//! Checkpoints, notes and bundles: forms that hold and forms that are refused.

#![expect(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

use bastide_crypto::SigningKey;
use bastide_tlog::{BundleError, Checkpoint, Hash, Note, NoteError, NoteKey, decode_bundle, encode_bundle};

fn signer() -> (SigningKey, NoteKey) {
    let signer = SigningKey::from_seed([5; 32]);
    let key = NoteKey::new("default/node-1", signer.verifying_key()).unwrap();
    (signer, key)
}

#[test]
fn a_signed_checkpoint_comes_back() {
    let (signer, key) = signer();
    let checkpoint = Checkpoint { origin: "default/node-1".into(), size: 7, root: Hash([3; 32]) };
    let note = Note::sign(&checkpoint.body(), &key, &signer).unwrap();
    let read = Note::parse(note.as_bytes()).unwrap();
    assert_eq!(Checkpoint::parse(read.verify(&key).unwrap()).unwrap(), checkpoint);
    let known = NoteKey::parse(&key.vkey()).unwrap();
    assert_eq!(known, key);
}

#[test]
fn no_byte_of_a_note_can_change() {
    let (signer, key) = signer();
    let checkpoint = Checkpoint { origin: "default/node-1".into(), size: 7, root: Hash([3; 32]) };
    let note = Note::sign(&checkpoint.body(), &key, &signer).unwrap().into_bytes();
    for at in 0..note.len() {
        for bit in 0..8 {
            let mut bent = note.clone();
            bent[at] ^= 1 << bit;
            let accepted = Note::parse(&bent).is_ok_and(|n| n.verify(&key).is_ok());
            assert!(!accepted, "byte {at} bit {bit}");
        }
    }
}

#[test]
fn a_wrong_signature_of_a_known_key_outweighs_a_right_one() {
    let (signer, key) = signer();
    let note = Note::sign("text\n", &key, &signer).unwrap();
    let line = Note::sign("other\n", &key, &signer).unwrap();
    let line = line.rsplit("\n\n").next().unwrap();
    let both = Note::parse(format!("{note}{line}").as_bytes()).unwrap();
    assert_eq!(both.verify(&key), Err(NoteError::BadSignature));
    let stranger = NoteKey::new("default/node-1", SigningKey::from_seed([6; 32]).verifying_key()).unwrap();
    assert_eq!(both.verify(&stranger), Err(NoteError::Unsigned));
}

#[test]
fn malformed_notes_keys_and_checkpoints_are_refused() {
    let (signer, key) = signer();
    let note = Note::sign("text\n\nmore\n", &key, &signer).unwrap();
    assert_eq!(
        Note::parse(note.as_bytes()).unwrap().verify(&key),
        Ok("text\n\nmore\n"),
        "empty lines are text"
    );
    for bad in [
        &note[..note.len() - 1],
        "text\n\n",
        "text\n",
        "",
        "text\n\n\u{2014} name\n",
        "text\n\n- n AAAAAAA=\n",
    ] {
        assert!(Note::parse(bad.as_bytes()).is_err(), "{bad:?}");
    }
    assert!(Note::sign("no newline", &key, &signer).is_err());
    assert!(Note::sign("tab\t\n", &key, &signer).is_err());
    let vkey = key.vkey();
    for bad in [vkey.replace('1', "2"), vkey.replacen('+', " ", 1), vkey[1..].to_owned(), String::new()] {
        assert!(NoteKey::parse(&bad).is_err(), "{bad}");
    }
    let root = Hash([3; 32]);
    assert!(Checkpoint::parse(&format!("o\n7\n{root}\nextension\n")).is_ok());
    for bad in [
        format!("\n7\n{root}\n"),
        format!("o\n07\n{root}\n"),
        format!("o\n-7\n{root}\n"),
        format!("o\n+7\n{root}\n"),
        format!("o\n7\n{root}"),
        "o\n7\nAAAA\n".to_owned(),
        format!("o\n7\n{root}\n\n"),
        "o\n7\n".to_owned(),
        format!("o\n18446744073709551616\n{root}\n"),
    ] {
        assert!(Checkpoint::parse(&bad).is_err(), "{bad:?}");
    }
}

#[test]
fn bundles_hold_what_they_are_given() {
    let entries: Vec<Vec<u8>> = (0..256_usize).map(|i| vec![7; i * 3]).collect();
    let bundle = encode_bundle(entries.iter().map(Vec::as_slice)).unwrap();
    assert_eq!(decode_bundle(&bundle).unwrap(), entries);
    assert_eq!(decode_bundle(&bundle[..bundle.len() - 1]), Err(BundleError::Truncated));
    let more: Vec<u8> = [bundle, vec![0, 0]].concat();
    assert_eq!(decode_bundle(&more), Err(BundleError::TooMany));
    assert_eq!(encode_bundle(vec![&b""[..]; 257]), Err(BundleError::TooMany));
    assert_eq!(encode_bundle([&vec![0; 65_536][..]]), Err(BundleError::TooLong(65_536)));
}
