//! What archives are found to be and to do.

#![expect(clippy::cast_possible_truncation, reason = "the archives are small")]

use bastide_types::Assessment;
use proptest::prelude::*;

use super::sample::{ELF, deflate, entry, found, gzip, report, seven, sum, summed, tar, tarred, zip, zlib};
use crate::format::Format;

/// What no family knows: three quarters of all honest content here.
const WEIGHTS: &[u8] = &[0x3f, 0x81, 0x02, 0xbd, 0x11, 0x92, 0xfe, 0x3c, 0x90, 0x00, 0x7c, 0xbf];

fn torch() -> Vec<super::sample::Entry> {
    let mut entries = vec![
        entry("archive/data.pkl", b"\x80\x02}q\x00.").streamed(),
        entry("archive/data/0", WEIGHTS).streamed(),
        entry("archive/version", b"3\n").streamed(),
    ];
    entries.iter_mut().for_each(|entry| entry.padding = 16);
    entries
}

/// What this family finds; the content of members is judged by others.
fn ours(bytes: &[u8]) -> Vec<&'static str> {
    let mut ids = found(bytes);
    ids.retain(|id| {
        ["archive.", "zip.", "tar.", "program.", "torchscript."].iter().any(|family| id.starts_with(family))
    });
    ids
}

#[test]
fn honest_archives_are_clean_whoever_wrote_them() {
    let plain = [entry("a.bin", WEIGHTS), entry("b/c.bin", &[7; 5000]).deflated(), entry("b/", b"")];
    assert_eq!(ours(&zip(&plain)), [""; 0]);
    let java =
        [entry("a.bin", WEIGHTS).deflated().streamed(), entry("b.bin", &[1; 900]).deflated().streamed()];
    assert_eq!(ours(&zip(&java)), [""; 0]);
    assert_eq!(ours(&zip(&torch())), [""; 0]);
    assert_eq!(ours(&zip(&[])), [""; 0]);
    let tarball = tar(&[tarred("dir/", b'5', "", b""), tarred("dir/w.bin", b'0', "", WEIGHTS)]);
    assert_eq!(ours(&tarball), [""; 0]);
    assert_eq!(ours(&gzip(&tarball)), [""; 0]);
    assert_eq!(ours(&zlib(&WEIGHTS.repeat(99))), [""; 0]);
    assert_eq!(ours(&seven("w.bin", WEIGHTS)), [""; 0]);
}

/// The records of zip64 that PyTorch writes into every file, though nothing in it is large.
fn with_zip64(archive: &[u8]) -> Vec<u8> {
    let (front, end) = archive.split_at(archive.len() - 22);
    let field = |at: usize| u64::from(u32::from_le_bytes(end[at..at + 4].try_into().unwrap()));
    let counted = u64::from(u16::from_le_bytes(end[10..12].try_into().unwrap()));
    let mut out = front.to_vec();
    let at = out.len() as u64;
    out.extend_from_slice(b"PK\x06\x06");
    out.extend_from_slice(&44_u64.to_le_bytes());
    out.extend_from_slice(&[0x2d, 0, 0x2d, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    [counted, counted, field(12), field(16)].iter().for_each(|n| out.extend_from_slice(&n.to_le_bytes()));
    out.extend_from_slice(b"PK\x06\x07\0\0\0\0");
    out.extend_from_slice(&at.to_le_bytes());
    out.extend_from_slice(&1_u32.to_le_bytes());
    [&out, end].concat()
}

#[test]
fn records_of_zip64_are_no_second_directory_however_long_names_are() {
    // A first entry as long as these records: counted back from the end, the directory would begin with its second.
    for stem in 1..40 {
        let mut entries = torch();
        for entry in &mut entries {
            entry.name = entry.name.replace("archive", &"s".repeat(stem));
        }
        assert_eq!(ours(&with_zip64(&zip(&entries))), [""; 0], "{stem}");
    }
    // Where the two end records lead to different directories, both are read.
    let other = with_zip64(&zip(&[entry("a", b"1")]));
    let mut both = [other, with_zip64(&zip(&torch()))].concat();
    let end = both.len() - 22;
    both[end + 10] = 1;
    both[end + 12..end + 20].copy_from_slice(&[47, 0, 0, 0, 32, 0, 0, 0]);
    assert!(ours(&both).contains(&"zip.mismatch"), "{:?}", ours(&both));
}

#[test]
fn containers_are_named_by_content() {
    assert_eq!(report(&zip(&torch())).format, Format::TorchZip);
    let npz = [entry("a.npy", WEIGHTS).deflated(), entry("B.npy", WEIGHTS)];
    assert_eq!(report(&zip(&npz)).format, Format::NumpyZip);
    let skops = [entry("schema.json", b"{\"__loader__\": \"ListNode\"}").deflated()];
    assert_eq!(report(&zip(&skops)).format, Format::Skops);
    assert_eq!(report(&gzip(WEIGHTS)).format, Format::Gzip);
    assert_eq!(report(&seven("a", WEIGHTS)).format, Format::SevenZip);
    let legacy = ["sys_info", "pickle", "storages", "tensors"].map(|name| tarred(name, b'0', "", WEIGHTS));
    assert_eq!(report(&tar(&legacy)).format, Format::TorchTar);
    let mut llamafile = ELF.to_vec();
    llamafile.extend(zip(&[entry("m.gguf", WEIGHTS)]));
    assert_eq!(report(&llamafile).format, Format::Llamafile);
    assert_eq!(ours(&llamafile), ["program.llamafile"]);
}

#[test]
fn directory_and_headers_must_say_the_same() {
    let tampered = |change: fn(&mut super::sample::Entry)| {
        let mut entries = torch();
        change(&mut entries[0]);
        ours(&zip(&entries))
    };
    assert_eq!(tampered(|entry| entry.central_name = Some("archive/dato.pkl".to_owned())), ["zip.mismatch"]);
    assert_eq!(tampered(|entry| entry.flags = 1), ["zip.flags"]);
    assert_eq!(tampered(|entry| entry.flags = 0x20), ["zip.flags"]);
    assert_eq!(tampered(|entry| entry.crc = Some(1)), ["zip.checksum"]);
    assert_eq!(tampered(|entry| entry.size = Some(3)), ["zip.mismatch"]);
    assert!(tampered(|entry| entry.method = Some(9)).contains(&"archive.unsupported"));
    assert_eq!(tampered(|entry| entry.name = "archive/data.pkl\0x".to_owned()), ["archive.name-nul"]);
    assert_eq!(tampered(|entry| entry.name = "../../data.pkl".to_owned()), ["archive.escape"]);
    let mut twice = torch();
    twice.push(entry("archive/data.pkl", b"\x80\x02]q\x00."));
    assert_eq!(ours(&zip(&twice)), ["zip.duplicate"]);
}

#[test]
fn all_checksums_wrong_is_a_choice_of_pytorch() {
    let mut entries = torch();
    entries.iter_mut().for_each(|entry| entry.crc = Some(7));
    assert_eq!(ours(&zip(&entries)), ["zip.no-checksums"]);
    assert_eq!(
        report(&zip(&entries)).assessment().max(Assessment::Clean),
        report(&zip(&torch())).assessment()
    );
}

#[test]
fn what_the_directory_does_not_list_is_found_and_scanned() {
    let mut ghost = entry("other.so", ELF);
    ghost.is_listed = false;
    let honest = entry("w.bin", WEIGHTS);
    assert_eq!(ours(&zip(&[honest.clone(), ghost.clone()])), ["program.native", "zip.hidden"]);
    ghost.name = "w.bin".to_owned();
    assert_eq!(ours(&zip(&[honest.clone(), ghost.clone()])), ["program.native", "zip.mismatch"]);
    assert_eq!(
        ours(&zip(&[ghost.deflated().streamed(), honest.clone()])),
        ["program.native", "zip.mismatch"]
    );
    let mut slack = entry("w.bin", &[deflate(WEIGHTS), ELF.to_vec()].concat());
    slack.method = Some(8);
    slack.size = Some(WEIGHTS.len() as u32);
    slack.crc = Some(sum(WEIGHTS));
    assert_eq!(ours(&zip(&[slack])), ["program.native", "zip.hidden"]);
    let mut behind = entry("v.bin", WEIGHTS);
    behind.before = ELF.to_vec();
    assert_eq!(ours(&zip(&[honest, behind])), ["program.native", "zip.hidden"]);
}

#[test]
fn two_archives_in_one_file_are_two_models() {
    let mut both = zip(&torch());
    both.extend(zip(&[entry("archive/data.pkl", WEIGHTS)]));
    assert!(ours(&both).contains(&"archive.mixed"));
    let mut commented = zip(&torch());
    let end = commented.len() - 22;
    let fake = commented[end..].to_vec();
    let size = fake.len() as u16;
    commented[end + 20..].copy_from_slice(&size.to_le_bytes());
    commented.extend_from_slice(b"PK\x05\x06");
    commented.extend_from_slice(&[0; 18]);
    assert!(ours(&commented).contains(&"zip.mismatch"));
    let mut text = b"hello ".to_vec();
    text.extend(zip(&[entry("w.bin", WEIGHTS)]));
    assert_eq!(ours(&text), ["zip.prefix"]);
    let mut trailing = zip(&torch());
    trailing.extend_from_slice(ELF);
    assert_eq!(ours(&trailing), ["archive.trailing", "program.native"]);
}

#[test]
fn an_archive_behind_a_file_of_another_format_is_a_second_model() {
    let behind = |front: &[u8]| ours(&[front, &zip(&torch())].concat());
    let safetensors = b"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}";
    let safetensors = [&(safetensors.len() as u64).to_le_bytes(), safetensors.as_slice(), &[0; 4]].concat();
    let gguf = [b"GGUF\x03\0\0\0".as_slice(), &[0; 16]].concat();
    let array = b"\x93NUMPY\x01\0\x36\0{'descr': '<f4', 'fortran_order': False, 'shape': (1,)}\0\0\0\0";
    for (name, front) in [
        ("safetensors", safetensors.as_slice()),
        ("gguf", &gguf),
        ("numpy", array),
        ("pickle", b"\x80\x02}q\x00."),
        ("png", b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR"),
        ("pdf", b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj"),
        ("jpeg", b"\xff\xd8\xff\xe0\0\x10JFIF\0"),
    ] {
        assert!(behind(front).contains(&"archive.mixed"), "{name}: {:?}", behind(front));
    }
    let tarball = tar(&[tarred("config.bin", b'0', "", WEIGHTS)]);
    let appended = report(&[tarball, zip(&torch())].concat());
    assert!(appended.assessment() >= Assessment::Review, "{:?}", appended.findings);
    // Stubs of scripts and programs unpack the archive behind them.
    assert_eq!(behind(b"#!/usr/bin/env python3\n"), [""; 0]);
    assert_eq!(behind(b"#!/usr/bin/python3 -I\n"), [""; 0]);
    assert_eq!(behind(b"#!/usr/bin/python3 -c 'print(1)'\n"), ["zip.prefix"]);
    assert_eq!(behind(b"#!/usr/bin/python3\nprint(1)\n"), ["zip.prefix"]);
    assert_eq!(behind(b"#!/bin/sh\nexec unpack \"$0\"\n"), ["zip.prefix"]);
    assert_eq!(behind(ELF), ["program.native"]);
}

#[test]
fn what_the_comment_of_an_archive_holds_is_scanned() {
    let commented = |comment: &[u8]| {
        let mut bytes = zip(&torch());
        let end = bytes.len() - 2;
        bytes[end..].copy_from_slice(&(comment.len() as u16).to_le_bytes());
        report(&[bytes.as_slice(), comment].concat())
    };
    assert_eq!(commented(b"made for tests").assessment(), Assessment::Clean);
    let hidden = commented(b"\x80\x02cos\nsystem\nX\x0c\0\0\0echo harmless\x85R.");
    assert_eq!(hidden.assessment(), Assessment::Malicious, "{:?}", hidden.findings);
    assert_eq!(hidden.findings[0].members, ["comment"]);
}

#[test]
fn an_archive_that_is_stored_in_another_is_no_second_reading() {
    let nemo = [
        tarred("model_config.yaml", b'0', "", WEIGHTS),
        tarred("model_weights.ckpt", b'0', "", &zip(&torch())),
    ];
    assert_eq!(ours(&tar(&nemo)), [""; 0]);
    assert_eq!(report(&tar(&nemo)).format, Format::Nemo);
    assert_eq!(ours(&zip(&[entry("inner.zip", &zip(&torch()))])), [""; 0]);
    // Deflate stores what does not compress.
    let mut stored = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::none());
    std::io::Write::write_all(&mut stored, &zip(&torch())).unwrap();
    assert_eq!(ours(&stored.finish().unwrap()), [""; 0]);
}

#[test]
fn an_archive_without_a_directory_is_read_and_never_clean() {
    let whole = zip(&[entry("a.so", ELF).deflated().streamed(), entry("b.bin", WEIGHTS)]);
    let cut = &whole[..whole.len() - 150];
    assert_eq!(ours(cut), ["program.native"]);
    assert_eq!(report(cut).assessment(), Assessment::Unfinished);
}

#[test]
fn members_that_leave_the_folder_are_found() {
    for name in ["../x", "/etc/x", "a/../../x", "..\\x", "C:\\x"] {
        assert_eq!(ours(&zip(&[entry(name, WEIGHTS)])), ["archive.escape"], "{name}");
        assert_eq!(ours(&tar(&[tarred(name, b'0', "", WEIGHTS)])), ["archive.escape"], "{name}");
        assert_eq!(ours(&seven(name, WEIGHTS)), ["archive.escape"], "{name}");
    }
    let mut link = entry("a/link", b"../../etc/passwd");
    link.mode = 0o120_777;
    assert_eq!(ours(&zip(&[link.clone()])), ["archive.link-escape"]);
    link.data = b"weights.bin".to_vec();
    assert_eq!(ours(&zip(&[link.deflated()])), ["archive.link"]);
    let inside = [tarred("w/1.bin", b'0', "", WEIGHTS), tarred("w/last.bin", b'2', "../w/1.bin", b"")];
    assert_eq!(ours(&tar(&inside)), ["archive.link"]);
    assert_eq!(report(&tar(&inside)).assessment(), Assessment::Clean);
    let winding = [tarred("w", b'2', ".", b""), tarred("l", b'2', "w/../x", b"")];
    assert_eq!(report(&tar(&winding)).assessment(), Assessment::Review);
    assert_eq!(ours(&tar(&[tarred("l", b'2', "/etc", b"")])), ["archive.link-escape"]);
    assert_eq!(ours(&tar(&[tarred("l", b'1', "../x", b"")])), ["archive.link-escape"]);
    let through = [tarred("l", b'2', "sub", b""), tarred("l/x", b'0', "", WEIGHTS)];
    assert_eq!(ours(&tar(&through)), ["archive.link", "archive.link-escape"]);
    assert_eq!(ours(&tar(&[tarred("fifo", b'6', "", b"")])), ["tar.special"]);
}

/// A zip archive with links: to where they lead.
fn linked(links: &[(&str, &str)], files: &[&str]) -> Vec<u8> {
    let link = |(name, target): &(&str, &str)| {
        let mut entry = entry(name, target.as_bytes());
        entry.mode = 0o120_777;
        entry
    };
    zip(&links.iter().map(link).chain(files.iter().map(|name| entry(name, WEIGHTS))).collect::<Vec<_>>())
}

#[test]
fn chains_of_links_are_judged_in_every_archive() {
    let of = |bytes: &[u8]| report(bytes).assessment();
    let chain = [("d/l", ".."), ("d/l/e", "../..")];
    assert_eq!(of(&linked(&chain, &["e/w.bin"])), Assessment::Malicious);
    // In any order of the members, and with a way of writing the name that says the same.
    assert_eq!(of(&linked(&[("d/l/e", "../.."), ("d/l", "..")], &[])), Assessment::Malicious);
    assert_eq!(of(&linked(&[("d/l", "sub")], &["d//./l/w.bin"])), Assessment::Malicious);
    assert_eq!(of(&linked(&[("d/l", "sub")], &["d/sub/w.bin", "d/l2"])), Assessment::Clean);
    assert_eq!(of(&linked(&[("blobs/../l", "../x")], &[])), Assessment::Malicious);
    let link = 0o120_777;
    let members = |through: &'static str| cpio(&[("d/l", link, b".."), (through, link, b"../..")]);
    assert_eq!(of(&members("d/l/e")), Assessment::Malicious);
    assert_eq!(of(&cpio(&[("d/l", link, b".."), ("d/k", 0o100_644, WEIGHTS)])), Assessment::Clean);
    let thru = [("lib/l", link, b"/usr/share".as_slice()), ("lib/l/root", 0o100_644, WEIGHTS)];
    assert_eq!(of(&cpio(&thru)), Assessment::Malicious);
    let late = [tarred("d/l/e", b'0', "", WEIGHTS), tarred("d/l", b'2', "..", b"")];
    assert_eq!(of(&tar(&late)), Assessment::Malicious);
    // A second name of a link counts from another folder.
    let hard = [tarred("d/l", b'2', "..", b""), tarred("h", b'1', "d/l", b"")];
    assert_eq!(of(&tar(&hard)), Assessment::Review);
    let deep = format!("{}x", "d/".repeat(20));
    let deep = [tarred(&deep, b'2', "sub", b""), tarred(&format!("{deep}/w"), b'0', "", WEIGHTS)];
    assert_eq!(of(&tar(&deep)), Assessment::Malicious);
}

#[test]
fn links_from_the_top_are_those_of_a_whole_system_or_of_a_package() {
    let of = |bytes: &[u8]| report(bytes).assessment();
    let deb = |data: &[Vec<u8>]| ar(&[("debian-binary/", b"2.0\n"), ("data.tar.gz/", &gzip(&tar(data)))]);
    let system = |link: Vec<u8>| {
        let folders = ["bin/sh", "etc/hostname", "usr/bin/env"].map(|name| tarred(name, b'0', "", WEIGHTS));
        [vec![link], folders.to_vec()].concat()
    };
    let plain = || tarred("lib/l", b'2', "/usr/share/x", b"");
    assert_eq!(of(&tar(&[plain()])), Assessment::Malicious);
    assert_eq!(of(&deb(&[plain()])), Assessment::Review);
    // What comes behind the link counts too.
    assert_eq!(of(&tar(&system(plain()))), Assessment::Review);
    let other = [system(plain()), vec![tarred("model.bin", b'0', "", WEIGHTS)]].concat();
    assert_eq!(of(&tar(&other)), Assessment::Malicious);
    assert_eq!(of(&tar(&system(tarred("var/run", b'2', "/run", b"")))), Assessment::Review);
    for target in [
        "/etc/passwd",
        "/etc//passwd-",
        "/etc/./shadow",
        "/etc/ssh/ssh_host_rsa_key",
        "/etc/cron.d/x",
        "/run/secrets/token",
        "/var/run/docker.sock",
        "/proc/self/environ",
        "/root/.ssh/id_rsa",
        "/home",
    ] {
        let link = || tarred("lib/model.bin", b'2', target, b"");
        assert_eq!(of(&tar(&system(link()))), Assessment::Malicious, "{target}");
        assert_eq!(of(&deb(&[link()])), Assessment::Malicious, "{target}");
    }
    assert_eq!(of(&tar(&system(tarred("lib/l", b'2', "/etc/passwords", b"")))), Assessment::Review);
}

#[test]
fn tables_of_archives_are_told_from_other_members() {
    let of = |bytes: &[u8]| report(bytes).assessment();
    let object = |tables: &[(&str, &[u8])]| ar(&[tables, &[("w.bin/", WEIGHTS)]].concat());
    assert_eq!(of(&object(&[])), Assessment::Clean);
    let gnu = b"\0\0\0\x02\0\0\0\x62\0\0\0\x62first\0second\0\0";
    let windows = b"\x01\0\0\0\x62\0\0\0\x02\0\0\0\x01\0\x01\0first\0second\0";
    assert_eq!(of(&object(&[("/", gnu), ("/", windows)])), Assessment::Clean);
    assert_eq!(of(&object(&[("/", b"\0\0\0\0")])), Assessment::Clean);
    assert_eq!(of(&object(&[("/SYM64/", b"\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\x62one\0")])), Assessment::Clean);
    let bsd = b"\x08\0\0\0\0\0\0\0\x62\0\0\0\x08\0\0\0_first\0\0";
    assert_eq!(of(&object(&[("__.SYMDEF", bsd)])), Assessment::Clean);
    let long = [b"__.SYMDEF SORTED\0\0\0\0".as_slice(), bsd].concat();
    assert_eq!(of(&object(&[("#1/20", &long)])), Assessment::Clean);
    for name in ["/", "/SYM64/", "__.SYMDEF", "__.SYMDEF SORTED"] {
        assert_eq!(of(&object(&[(name, PICKLE)])), Assessment::Malicious, "{name}");
    }
}

#[test]
fn names_that_members_share_are_no_longer_than_paths() {
    let named = |length: usize| {
        let table = [&vec![b'n'; length], b"/\n".as_slice()].concat();
        report(&ar(&[("//", &table), ("/0", WEIGHTS), ("/0", WEIGHTS)])).assessment()
    };
    assert_eq!(named(4000), Assessment::Clean);
    assert_eq!(named(5000), Assessment::Unfinished);
    let bsd = [&vec![b'n'; 5000], WEIGHTS].concat();
    assert_eq!(report(&ar(&[("#1/5000", &bsd)])).assessment(), Assessment::Unfinished);
}

/// An `ar` archive as GNU writes it.
fn ar(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut bytes = b"!<arch>\n".to_vec();
    for (name, data) in members {
        bytes.extend(
            format!("{name:<16}{:<12}{:<6}{:<6}{:<8}{:<10}`\n", 0, 0, 0, 100_644, data.len()).bytes(),
        );
        bytes.extend(*data);
        bytes.resize(bytes.len().next_multiple_of(2), b'\n');
    }
    bytes
}

/// A cpio archive of the format `newc`, with a mode for each member.
fn cpio(members: &[(&str, u32, &[u8])]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (name, mode, data) in members.iter().chain([&("TRAILER!!!", 0, b"".as_slice())]) {
        let numbers = [1, *mode, 0, 0, 1, 0, data.len() as u32, 0, 0, 0, 0, name.len() as u32 + 1, 0];
        bytes.extend(b"070701");
        numbers.iter().for_each(|number| bytes.extend(format!("{number:08x}").bytes()));
        bytes.extend(name.bytes().chain([0]));
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes.extend(*data);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
    }
    bytes
}

const PICKLE: &[u8] = b"\x80\x02cposix\nsystem\nX\x0d\0\0\0echo harmless\x85R.";

#[test]
fn members_of_ar_archives_are_scanned() {
    let deb = |data: &[u8]| ar(&[("debian-binary/", b"2.0\n"), ("data.tar.gz/", &gzip(data))]);
    let of = |bytes: &[u8]| report(bytes).assessment();
    assert_eq!(of(&deb(&tar(&[tarred("./usr/share/w.bin", b'0', "", WEIGHTS)]))), Assessment::Clean);
    assert_eq!(of(&deb(&tar(&[tarred("./m.pkl", b'0', "", PICKLE)]))), Assessment::Malicious);
    assert_eq!(ours(&deb(&tar(&[tarred("../x", b'0', "", WEIGHTS)]))), ["archive.escape"]);
    // Links of a package count from where the system begins; what is written through one does not.
    let link = tarred("./etc/x/a.conf", b'2', "/usr/share/x/a.conf", b"");
    let package = [tarred("./", b'5', "", b""), tarred("./etc/", b'5', "", b""), link];
    assert_eq!(ours(&deb(&tar(&package))), ["archive.rooted-link"]);
    assert_eq!(of(&deb(&tar(&package))), Assessment::Review);
    let other = [tarred("model.bin", b'0', "", WEIGHTS), tarred("etc/l", b'2', "/usr/share/x", b"")];
    assert_eq!(of(&tar(&other)), Assessment::Malicious);
    assert_eq!(of(&tar(&[tarred("etc/l", b'2', "/proc/self/environ", b"")])), Assessment::Malicious);
    assert_eq!(of(&tar(&[tarred("etc/l", b'2', "/../x", b"")])), Assessment::Malicious);
    let through = [tarred("usr/l", b'2', "/usr/share", b""), tarred("usr/l/x", b'0', "", WEIGHTS)];
    assert_eq!(of(&tar(&through)), Assessment::Malicious);
    // Long names of GNU and of BSD.
    assert_eq!(of(&ar(&[("//", b"a-long-name-of-a-pickle/\n"), ("/0", PICKLE)])), Assessment::Malicious);
    assert_eq!(of(&ar(&[("#1/8", &[b"long.pkl", PICKLE].concat())])), Assessment::Malicious);
    assert_eq!(ours(&ar(&[("x.o/", ELF)])), ["program.native"]);
    let whole = ar(&[("a/", WEIGHTS)]);
    assert_eq!(of(&whole[..whole.len() - 8]), Assessment::Unfinished);
    assert_eq!(of(&[&whole, PICKLE].concat()), Assessment::Malicious);
}

#[test]
fn members_of_cpio_archives_and_packages_are_scanned() {
    let of = |bytes: &[u8]| report(bytes).assessment();
    let file = 0o100_644;
    let odd = cpio(&[("usr/w.bin", file, WEIGHTS), ("a", file, b"abc"), ("l", 0o120_777, b"usr/w.bin")]);
    assert_eq!((of(&odd), report(&odd).format), (Assessment::Clean, Format::OtherArchive));
    let padded = [odd.clone(), vec![0; 512 - odd.len() % 512]].concat();
    assert_eq!(of(&padded), Assessment::Clean);
    assert_eq!(of(&[&odd, PICKLE].concat()), Assessment::Malicious);
    assert_eq!(of(&cpio(&[("a", file, b"abc"), ("m.pkl", file, PICKLE)])), Assessment::Malicious);
    assert_eq!(ours(&cpio(&[("../x", file, b"abc")])), ["archive.escape"]);
    assert_eq!(ours(&cpio(&[("l", 0o120_777, b"../../etc/hostname")])), ["archive.link-escape"]);
    assert_eq!(ours(&cpio(&[("d", 0o060_644, b"")])), ["tar.special"]);
    assert_eq!(of(&odd[..200]), Assessment::Unfinished);
    let octal = |name: &str, data: &[u8]| {
        let (names, size) = (name.len() + 1, data.len());
        let numbers = format!("{}{:06o}{}{names:06o}{size:011o}", "070707000000000000", file, "0".repeat(35));
        [numbers.as_bytes(), name.as_bytes(), b"\0", data].concat()
    };
    let old = [octal("m.pkl", PICKLE), octal("TRAILER!!!", b"")].concat();
    assert_eq!(of(&old), Assessment::Malicious);
    let header = |size: u8| {
        [b"\x8e\xad\xe8\x01\0\0\0\0\0\0\0\0\0\0\0".as_slice(), &[size], &vec![0; size.into()]].concat()
    };
    let rpm = |payload: &[u8]| {
        let lead = [b"\xed\xab\xee\xdb".as_slice(), &[0; 92]].concat();
        [lead, header(8), header(3), gzip(payload)].concat()
    };
    assert_eq!(of(&rpm(&odd)), Assessment::Clean);
    assert_eq!(of(&rpm(&cpio(&[("m.pkl", file, PICKLE)]))), Assessment::Malicious);
}

#[test]
fn every_header_of_a_tar_archive_is_read() {
    let long = format!("{}/../../../x", "d".repeat(150));
    let gnu = [tarred("././@LongLink", b'L', "", long.as_bytes()), tarred("short", b'0', "", WEIGHTS)];
    assert_eq!(ours(&tar(&gnu)), ["archive.escape"]);
    let pax = [tarred("x", b'x', "", b"16 path=../../x\n"), tarred("short", b'0', "", WEIGHTS)];
    assert_eq!(ours(&tar(&pax)), ["archive.escape"]);
    let hidden = tarred("x.so", b'0', "", ELF);
    let desync = [
        tarred("x", b'x', "", b"13 size=2048\n"),
        tarred("a", b'0', "", b""),
        hidden.clone(),
        hidden.clone(),
    ];
    assert!(ours(&tar(&desync)).contains(&"tar.mismatch"));
    let mut two = tar(&[tarred("a", b'0', "", WEIGHTS)]);
    two.extend(tar(&[hidden]));
    assert_eq!(ours(&two), ["archive.trailing", "program.native"]);
    let mut signed = tarred("\u{e9}", b'0', "", WEIGHTS);
    let sum: i64 = signed[..512].iter().map(|&b| i64::from(b.cast_signed())).sum::<i64>();
    let field: i64 = signed[148..156].iter().map(|&b| i64::from(b)).sum();
    let told = sum - field + 8 * 32;
    signed[148..156].copy_from_slice(format!("{told:06o}\0 ").as_bytes());
    assert_eq!(report(&tar(&[signed])).format, Format::Tar);
}

#[test]
fn programs_are_malicious_only_among_weights() {
    assert_eq!(ours(ELF), ["program.native"]);
    assert_eq!(ours(&zip(&[entry("lib.so", ELF)])), ["program.native"]);
    let mut entries = torch();
    entries.push(entry("archive/extra/lib.so", ELF));
    assert_eq!(ours(&zip(&entries)), ["program.in-model", "program.native"]);
}

#[test]
fn torchscript_source_is_looked_into() {
    let mut entries = torch();
    entries.push(entry("archive/code/__torch__.py", b"def f(x):\n  torch.save(x, 'harmless')\n"));
    assert_eq!(report(&zip(&entries)).format, Format::TorchScript);
    assert_eq!(ours(&zip(&entries)), ["torchscript.operator"]);
}

#[test]
fn streams_are_followed_to_their_end() {
    let mut members = gzip(&ELF[..10]);
    members.extend(gzip(&ELF[10..]));
    assert_eq!(ours(&members), ["program.native"], "two members are one content");
    members.extend_from_slice(&[0; 100]);
    assert_eq!(ours(&members), ["program.native"], "padding is nothing");
    members.extend_from_slice(ELF);
    assert_eq!(ours(&members), ["archive.trailing", "program.native"]);
    let cut = gzip(&WEIGHTS.repeat(100));
    assert_eq!(report(&cut[..cut.len() - 20]).assessment(), Assessment::Unfinished);
    // All optional fields, and a wrong checksum, which zlib.decompressobj never sees.
    let mut flagged = vec![0x1f, 0x8b, 8, 0x1e, 0, 0, 0, 0, 0, 3, 2, 0, b'x', b'y'];
    flagged.extend_from_slice(b"name\0comment\0hh");
    flagged.extend(deflate(ELF));
    flagged.extend_from_slice(&[0; 8]);
    assert_eq!(ours(&flagged), ["program.native"]);
    let mut skippable = b"\x50\x2a\x4d\x18\x04\0\0\0abcd".to_vec();
    skippable.extend_from_slice(b"\x28\xb5\x2f\xfd\x20\x14\xa1\0\0");
    skippable.extend_from_slice(ELF);
    assert_eq!(ours(&skippable), ["program.native"]);
    assert_eq!(report(b"x^2 is not a stream, and hx neither").format, Format::Text);
}

#[test]
fn every_kind_of_stream_is_followed() {
    // Made by Python 3.11, zstd 1.5 and lz4 1.9 from the start of a program.
    const STREAMS: &[(&str, &str)] = &[
        (
            "xz, two streams",
            "fd377a585a000004e6d6b4460200210116000000742fe5a30100087f454c4602010100000000000041e56653e58bddea000121096c18c5d51fb6f37d010000000004595a00000000fd377a585a000004e6d6b4460200210116000000742fe5a301000a0000000000000003003e00000071e2c9411e65edd30001230bc21bfd091fb6f37d010000000004595a",
        ),
        ("lzma", "5d00008000ffffffffffffffff003f914584683d89a6da8ae183324ecb1e5bffff39000000"),
        (
            "bzip2, two streams",
            "425a6839314159265359f1c0507e0000044480700003040000a000221ea34f5086000c8abe2ee48a70a121e380a0fc425a683931415926535908960279000000c800480000012000212641989084e2ee48a70a120112c04f20",
        ),
        ("zstd", "28b52ffd2414a100007f454c4602010100000000000000000003003e00d2d93264"),
        ("lz4", "04224d186440a711000000837f454c46020101000100500003003e00000000002fdca311"),
        ("lz4, legacy", "02214c1811000000837f454c46020101000100500003003e00"),
    ];
    for (kind, hex) in STREAMS {
        let digits = hex.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).unwrap());
        let bytes: Vec<u8> = digits.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect();
        assert_eq!(ours(&bytes), ["program.native"], "{kind}");
        let cut = &bytes[..bytes.len() - 12];
        assert_ne!(report(cut).assessment(), Assessment::Clean, "{kind}, cut off");
        assert!(
            report(cut).findings.iter().any(|finding| finding.rule.id.starts_with("file.")),
            "{kind}, cut off"
        );
    }
}

#[test]
fn what_a_broken_stream_gave_before_its_error_is_scanned() {
    // One LZMA2 chunk stored as it is, then one that cannot be: PyTorch and joblib have read the first by then.
    let mut xz = b"\xfd7zXZ\0\0\x01\x69\x22\xde\x36\x02\0\x21\x01\x08\0\0\0\xd8\x0f\x23\x13".to_vec();
    xz.extend_from_slice(&[1, 0, ELF.len() as u8 - 1]);
    xz.extend_from_slice(ELF);
    xz.extend_from_slice(&[0x55; 40]);
    assert_eq!(ours(&xz), ["program.native"]);
    assert_eq!(report(&xz).assessment(), Assessment::Unfinished);
    let mut member = deflate(&[ELF, &[0; 300]].concat());
    let broken = member.len() / 2 + 6;
    member.truncate(broken);
    member.extend_from_slice(&[0xff; 40]);
    let mut gz = b"\x1f\x8b\x08\0\0\0\0\0\0\x03".to_vec();
    gz.extend(member);
    assert_eq!(ours(&gz), ["program.native"]);
    assert_eq!(report(&gz).assessment(), Assessment::Unfinished);
}

#[test]
fn bombs_are_found_before_they_go_off() {
    let filler = vec![0; 100 << 20];
    let packed = gzip(&filler);
    assert_eq!(ours(&packed), ["archive.bomb"]);
    let member = entry("filler", &filler).deflated();
    assert_eq!(ours(&zip(&[member])), ["archive.bomb"]);
    let mut array = filler;
    array[..6].copy_from_slice(b"\x93NUMPY");
    let array = [entry("a.npy", &array).deflated()];
    assert_eq!(ours(&zip(&array)), ["archive.ratio"]);
    let mut inner = packed;
    for _ in 0..3 {
        inner = zip(&[0, 1, 2, 3].map(|n| entry(&format!("{n}.gz"), &inner)));
    }
    assert_eq!(ours(&inner), ["archive.bomb"]);
    // Filler that was packed is filler again.
    let twice = gzip(&gzip(&vec![0; 40 << 20]));
    assert_eq!(ours(&twice), ["archive.bomb"]);
    let in_zip = zip(&[entry("inner.gz", &gzip(&vec![0; 40 << 20])).deflated()]);
    assert_eq!(ours(&in_zip), ["archive.bomb"]);
    let mut inner = WEIGHTS.to_vec();
    for _ in 0..20 {
        inner = gzip(&inner);
    }
    assert_eq!(report(&inner).assessment(), Assessment::Unfinished);
}

#[test]
fn overlapping_members_are_found_and_not_all_expanded() {
    let mut entries: Vec<_> = (0..300).map(|n| entry(&format!("f{n:03}"), b"")).collect();
    entries.push(entry("last", &vec![0; 1 << 20]).deflated());
    let mut bytes = zip(&entries);
    // Every entry's data reaches to the last one.
    let end = bytes.len() as u32;
    let mut at = 0;
    while let Some(found) = memchr::memmem::find(&bytes[at..], b"PK\x01\x02") {
        at += found + 4;
        bytes[at + 16..at + 20].copy_from_slice(&(end / 2).to_le_bytes());
    }
    assert!(ours(&bytes).contains(&"zip.mismatch"));
}

#[test]
fn many_members_over_the_same_data_are_a_bomb() {
    // The same local header listed again and again, each time under another name.
    let one = zip(&[entry("f000", &vec![0; 1 << 20]).deflated()]);
    let start = memchr::memmem::find(&one, b"PK\x01\x02").unwrap();
    let listed = one.len() - 22 - start;
    let mut bytes = one[..start].to_vec();
    for n in 0..64 {
        bytes.extend_from_slice(&one[start..start + listed]);
        let name = bytes.len() - listed + 46;
        bytes[name..name + 4].copy_from_slice(format!("f{n:03}").as_bytes());
    }
    let mut end = one[one.len() - 22..].to_vec();
    end[8..10].copy_from_slice(&64_u16.to_le_bytes());
    end[10..12].copy_from_slice(&64_u16.to_le_bytes());
    end[12..16].copy_from_slice(&(64 * listed as u32).to_le_bytes());
    bytes.extend(end);
    assert!(ours(&bytes).contains(&"archive.bomb"), "{:?}", ours(&bytes));
}

#[test]
fn two_hundred_thousand_members_are_counted_quickly() {
    let many: Vec<_> = (0..60_000).map(|n| entry(&format!("n{n}"), b"")).collect();
    assert_eq!(ours(&zip(&many)), [""; 0]);
    let limits = crate::Limits { entries: 1000, ..crate::Limits::default() };
    // What was not read is no attack, whatever the archive is.
    let of = |bytes: &[u8]| crate::scan(&bytes, "m", &limits).assessment();
    assert_eq!(of(&zip(&many)), Assessment::Unfinished);
    let members: Vec<_> = (0..1001).map(|n| tarred(&format!("n{n}"), b'0', "", b"")).collect();
    assert_eq!(of(&tar(&members)), Assessment::Unfinished);
    let one = crate::Limits { entries: 1, ..crate::Limits::default() };
    assert_eq!(crate::scan(&zip(&torch()), "m.pt", &one).assessment(), Assessment::Unfinished);
}

fn samples() -> Vec<Vec<u8>> {
    let mut header = tarred("pax", b'x', "", b"16 path=../../x\n");
    summed(&mut header[..512]);
    vec![
        zip(&torch()),
        zip(&[entry("a", WEIGHTS).deflated().streamed(), entry("b/c", ELF).deflated()]),
        tar(&[header, tarred("l", b'2', "a", b""), tarred("f", b'0', "", WEIGHTS)]),
        gzip(&zip(&torch())),
        zlib(&WEIGHTS.repeat(20)),
        seven("a/b", ELF),
    ]
}

proptest! {
    #[test]
    fn no_change_to_an_archive_makes_the_scan_panic(
        which in 0_usize..6,
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12),
        cut in any::<prop::sample::Index>(),
        keep in any::<bool>(),
    ) {
        let mut bytes = samples().swap_remove(which);
        for (at, value) in changes {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        if !keep {
            bytes.truncate(cut.index(bytes.len()));
        }
        report(&bytes);
    }

    #[test]
    fn no_bytes_behind_a_mark_make_the_scan_panic(
        mark in prop::sample::select(vec![
            b"PK\x03\x04".as_slice(), b"7z\xbc\xaf\x27\x1c", b"\x1f\x8b\x08", b"BZh91AY&SY", b"\xfd7zXZ\0",
            b"\x04\x22\x4d\x18", b"\x02\x21\x4c\x18", b"\x28\xb5\x2f\xfd", b"\x78\x9c", b"\x5d\0\0\x80\0",
        ]),
        bytes in proptest::collection::vec(any::<u8>(), 0..600),
    ) {
        report(&[mark, &bytes].concat());
    }
}

#[test]
fn the_samples_have_right_checksums() {
    assert_eq!(sum(b"123456789"), 0xcbf4_3926);
}
