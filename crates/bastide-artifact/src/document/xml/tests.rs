use bastide_types::Assessment;
use proptest::prelude::*;

use crate::{Format, Limits, Report, scan};

fn judge(text: &str) -> Report {
    scan(&text.as_bytes(), "model.xml", &Limits::default())
}

fn ids(text: &str) -> Vec<&'static str> {
    judge(text).findings.iter().map(|finding| finding.rule.id).collect()
}

#[test]
fn ordinary_models_are_clean() {
    let pmml = r#"<?xml version="1.0" encoding="UTF-8"?><PMML xmlns="http://www.dmg.org/PMML-4_4" version="4.4">
        <Header copyright="x"><Application name="JPMML-SkLearn" version="1.6"/></Header>
        <TransformationDictionary><DerivedField name="d"><Apply function="if"><Apply function="isMissing"><FieldRef field="a"/></Apply></Apply></DerivedField></TransformationDictionary></PMML>"#;
    let report = judge(pmml);
    assert_eq!((report.format, report.findings.len()), (Format::Pmml, 0), "{:?}", report.findings);
    let ir = r#"<?xml version="1.0"?><net name="m" version="11"><layers><layer id="0" name="x" type="Parameter" version="opset1"><data shape="1,3" element_type="f32"/></layer></layers></net>"#;
    let report = judge(ir);
    assert_eq!((report.format, report.findings.len()), (Format::OpenVino, 0));
    let plist = r#"<?xml version="1.0"?><!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd"><plist/>"#;
    assert_eq!(judge(plist).assessment(), Assessment::Clean);
}

#[test]
fn entities_and_inclusions_are_seen() {
    for (text, id) in [
        (
            r#"<!DOCTYPE p [<!ENTITY x SYSTEM "file:///x">]><PMML version="4.3"><Header description="&x;"/></PMML>"#,
            "xml.external-entity",
        ),
        (
            r#"<?xml version="1.0"?><!DOCTYPE p SYSTEM "http://198.51.100.7/x.dtd"><p/>"#,
            "xml.external-entity",
        ),
        (r#"<!DOCTYPE p [<!ENTITY % a "<!ENTITY b 'c'>"> %a;]><p/>"#, "xml.external-entity"),
        (
            r#"<p xmlns:xi="http://www.w3.org/2001/XInclude"><xi:include href="file:///etc/hostname" parse="text"/></p>"#,
            "xml.external-entity",
        ),
        (r#"<?xml-stylesheet href="http://198.51.100.7/x.xsl"?><p xmlns="a"/>"#, "xml.stylesheet"),
        (
            r#"<net name="m" version="11"><layers><layer type="Mine" version="extension"/></layers></net>"#,
            "xml.custom-operator",
        ),
        (r#"<PMML><Apply function="java.lang.Runtime.exec"/></PMML>"#, "xml.code"),
        (r#"<PMML><Apply function="com.example.Score"/></PMML>"#, "xml.function"),
        (
            r#"<PMML><Extension name="script">__import__('os').system('echo harmless')</Extension></PMML>"#,
            "xml.code",
        ),
    ] {
        assert!(ids(text).contains(&id), "{text}: {:?}", ids(text));
    }
    let utf16: Vec<u8> = "\u{feff}<!DOCTYPE p [<!ENTITY x SYSTEM \"file:///x\">]><p>&x;</p>"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    assert_eq!(scan(&utf16, "a.xml", &Limits::default()).assessment(), Assessment::Malicious);
}

#[test]
fn documents_may_name_their_type() {
    for text in [
        r#"<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "urn:fontconfig:fonts.dtd"><fontconfig/>"#,
        r#"<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "fonts.dtd"><fontconfig/>"#,
        r#"<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-BUS 1.0//EN"
            "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd"><busconfig/>"#,
        r#"<!DOCTYPE a SYSTEM "../a.dtd" [<!-- <!ENTITY x SYSTEM "file:///x"> --><!ENTITY n "http://a">]><a>&n;&amp;</a>"#,
        r#"<!DOCTYPE a [<!ENTITY % draft "IGNORE">]><a/>"#,
    ] {
        assert_eq!(judge(text).assessment(), Assessment::Clean, "{text}: {:?}", ids(text));
    }
    let elsewhere = r#"<!DOCTYPE a PUBLIC "-//W3C//DTD A//EN" "http://www.example.com/a.dtd"><a>text</a>"#;
    let chapters = r#"<!DOCTYPE a [<!ENTITY one SYSTEM "chapter1.xml">]><a>&one;</a>"#;
    let listing =
        r#"<a xmlns:xi="http://www.w3.org/2001/XInclude"><xi:include href="list.c" parse="text"/></a>"#;
    let letters = r#"<!DOCTYPE a [<!ENTITY % l PUBLIC "-//W3C//ENTITIES Latin 1//EN"
        "http://www.w3.org/TR/xhtml1/DTD/xhtml-lat1.ent"> %l;]><a/>"#;
    let module = r#"<!DOCTYPE a [<!ENTITY % l SYSTEM "file:///usr/share/xml/docbook/dbpool.mod"> %l;]><a/>"#;
    for text in [elsewhere, chapters, listing, letters, module] {
        assert!(ids(text).contains(&"xml.external-doctype"), "{text}: {:?}", ids(text));
        assert_eq!(judge(text).assessment(), Assessment::Review, "{text}");
    }
}

#[test]
fn types_that_reach_into_the_host_or_say_what_an_entity_is_are_attacks() {
    for text in [
        r#"<!DOCTYPE a SYSTEM "file:///etc/hostname"><a/>"#,
        r#"<!DOCTYPE a PUBLIC "-//W3C//DTD XHTML 1.0 Strict//EN" "http://[fd00::1]/x.dtd"><a/>"#,
        r#"<!DOCTYPE a SYSTEM "http://www.example.com/a.dtd"><a>&sent;</a>"#,
        r#"<!DOCTYPE a SYSTEM "http://www.example.com/a.dtd"><a b="&sent;"/>"#,
        r#"<!DOCTYPE a [<!ENTITY x SYSTEM "../../secret.txt">]><a>&x;</a>"#,
        r#"<!DOCTYPE a [<!ENTITY % x SYSTEM "http://www.example.com/a.dtd"> %x;]><a/>"#,
        r#"<!DOCTYPE a [<!ENTITY % x "&#x3c;!ENTITY y SYSTEM 'file:///x'>"> %x;]><a/>"#,
        // Publishers have hosts and folders for what anybody uploads.
        r#"<!DOCTYPE r SYSTEM "http://people.apache.org/~somebody/x.dtd"><r>&file;</r>"#,
        r#"<!DOCTYPE r [<!ENTITY x SYSTEM "http://people.apache.org/~somebody/x.xml">]><r>&x;</r>"#,
        r#"<!DOCTYPE r [<!ENTITY % x SYSTEM "http://bugs.eclipse.org/bugs/attachment.cgi?id=1"> %x;]><r/>"#,
        r#"<!DOCTYPE r [<!ENTITY % x SYSTEM "http://www.w3.org/TR/x"> %x;]><r/>"#,
        r#"<!DOCTYPE r [<!ENTITY x SYSTEM "file:///usr/local/share/secret.txt">]><r>&x;</r>"#,
        r#"<!DOCTYPE r [<!ENTITY x SYSTEM "file:///usr/share/x.ent">]><r>&x;</r>"#,
        r#"<!DOCTYPE r SYSTEM "/usr/share/secret.txt"><r/>"#,
        // No writer of models names a type.
        r#"<!DOCTYPE PMML SYSTEM "http://www.example.com/dmg.org/x.dtd"><PMML version="4.4"/>"#,
        r#"<!DOCTYPE PMML SYSTEM "pmml.dtd"><PMML version="4.4"/>"#,
        r#"<!DOCTYPE net PUBLIC "-//X//EN" "http://www.w3.org/a.dtd"><net name="m" version="11"/>"#,
        r#"<!DOCTYPE PMML [<!ENTITY x SYSTEM "chapter1.xml">]><PMML version="4.4"/>"#,
    ] {
        assert!(ids(text).contains(&"xml.external-entity"), "{text}: {:?}", ids(text));
    }
    let dmg =
        r#"<!DOCTYPE PMML PUBLIC "PMML 2.0" "http://www.dmg.org/v2-0/pmml_v2_0.dtd"><PMML version="2.0"/>"#;
    assert_eq!(judge(dmg).assessment(), Assessment::Clean);
}

#[test]
fn marks_in_literals_comments_and_instructions_hide_nothing() {
    let taken = r#"<!ENTITY x SYSTEM "file:///etc/hostname">"#;
    for subset in [
        format!(r#"<!ENTITY a "<!--">{taken}<!ENTITY b "-->">"#),
        format!("<!ENTITY a '<!--'>{taken}"),
        format!("<?x it's ?>{taken}"),
        format!(r#"<?x <!ENTITY a " ?>{taken}"#),
        format!("<!-- it's -->{taken}"),
        format!(r#"<!ENTITY a "]>">{taken}"#),
        format!(r#"<!ATTLIST r a CDATA "<!--">{taken}"#),
    ] {
        for root in ["r", "PMML", "html", ":r"] {
            let text = format!("<?xml version=\"1.0\"?><!DOCTYPE {root} [{subset}]><{root}>&x;</{root}>");
            assert!(ids(&text).contains(&"xml.external-entity"), "{text}: {:?}", ids(&text));
        }
    }
    for subset in [
        format!("<!-- {taken} -->"),
        format!("<?x {taken} ?>"),
        format!("<!ENTITY a '{taken}'>"),
        "<!ENTITY a '<!--'><!ENTITY b \"it's -->\"><?x it's ?>".to_owned(),
    ] {
        let text = format!("<?xml version=\"1.0\"?><!DOCTYPE r [{subset}]><r>&a;</r>");
        assert_eq!(judge(&text).assessment(), Assessment::Clean, "{text}: {:?}", ids(&text));
        assert_eq!(judge(&text).format, Format::Xml, "{text}");
    }
}

#[test]
fn a_long_prolog_hides_nothing() {
    let (blanks, taken) = (" ".repeat(70_000), r#"[<!ENTITY x SYSTEM "file:///etc/hostname">]"#);
    for (text, format) in [
        (format!("<?xml version=\"1.0\"?>{blanks}<!DOCTYPE r {taken}><r>&x;</r>"), Format::Xml),
        (format!("<!DOCTYPE r {blanks}{taken}><r>&x;</r>"), Format::Xml),
        (format!("{blanks}<!DOCTYPE PMML {taken}><PMML>&x;</PMML>"), Format::Pmml),
        (format!("<!--{blanks}--><!DOCTYPE r {taken}><r>&x;</r>"), Format::Xml),
        (format!("<?pi {blanks}?><!DOCTYPE r {taken}><r>&x;</r>"), Format::Xml),
    ] {
        let report = scan(&text.as_bytes(), "model", &Limits::default());
        assert_eq!((report.format, report.assessment()), (format, Assessment::Malicious));
    }
    let plain = format!("<?xml version=\"1.0\"?><!--{blanks}--><r/>");
    assert_eq!((judge(&plain).format, judge(&plain).assessment()), (Format::Xml, Assessment::Clean));
    // What says that it is XML and never comes to an element was not read.
    assert_eq!(
        judge("<?xml version=\"1.0\"?><!DOCTYPE r [<!ENTITY a '").assessment(),
        Assessment::Unfinished
    );
    for text in ["<!-- a note", "<?xml version=\"1.0\"?><!ELEMENT a EMPTY>", &blanks] {
        assert_eq!(judge(text).format, Format::Text, "{text}");
    }
}

#[test]
fn texts_with_signs_of_elements_are_not_broken_xml() {
    let charmap = "<escape_char> /\n<U0000> /x00 \"a\n<a/>b <= \"c";
    assert_eq!(scan(&charmap.as_bytes(), "ISO_10646", &Limits::default()).assessment(), Assessment::Clean);
    let broken = "<?xml version=\"1.0\"?><a b=\"c";
    assert_eq!(judge(broken).assessment(), Assessment::Unfinished);
    let latin2 = b"<?xml version=\"1.0\" encoding=\"ISO-8859-2\"?><a>\xb1</a>";
    assert_eq!(scan(&latin2.as_slice(), "a.xml", &Limits::default()).assessment(), Assessment::Clean);
    let utf7 = "<?xml version=\"1.0\" encoding=\"utf-7\"?><a/>";
    assert_eq!(judge(utf7).assessment(), Assessment::Unfinished);
}

#[test]
fn growing_entities_are_counted_not_expanded() {
    let mut text = String::from("<!DOCTYPE p [<!ENTITY a0 \"0123456789\">");
    for level in 1..12 {
        let before = format!("&a{};", level - 1).repeat(10);
        text.push_str(&format!("<!ENTITY a{level} \"{before}\">"));
    }
    text.push_str("]><p>&a11;</p>");
    assert!(ids(&text).contains(&"xml.entity-bomb"));
    let chain = |levels: usize| {
        let names: String = (0..levels).map(|n| format!("<!ENTITY e{n} \"&e{};\">", n + 1)).collect();
        format!("<!DOCTYPE p [{names}<!ENTITY e{levels} \"x\">]><p>&e0;</p>")
    };
    assert!(ids(&chain(100)).contains(&"xml.entity-bomb"));
    assert!(!ids(&chain(20)).contains(&"xml.entity-bomb"));
    let quadratic =
        format!("<!DOCTYPE p [<!ENTITY a \"{}\">]><p>{}</p>", "x".repeat(50_000), "&a;".repeat(1000));
    assert!(ids(&quadratic).contains(&"xml.entity-bomb"));
}

proptest! {
    #[test]
    fn no_text_panics(text in "[<>/!?\\[\\]&;%a-z\"'= ]*") {
        let _ = judge(&format!("<!DOCTYPE a [{text}<a>{text}"));
        let _ = judge(&format!("<a xmlns=''>{text}"));
    }
}
