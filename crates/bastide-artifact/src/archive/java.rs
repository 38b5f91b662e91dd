//! Objects as Java serialises them: Weka, MOA and older tools keep models so (Java Object Serialization Specification,
//! chapter 6). Reading the stream builds the objects that its classes name, before anyone asks what they are.

use bastide_types::{Assessment, Rule, Severity};

use crate::halt::Parsed;
use crate::scan::{Scan, shown};
use crate::source::{Cursor, Source};

/// A class that acts when it is read.
pub(crate) const GADGET: Rule = Rule {
    id: "java.gadget",
    severity: Severity::Critical,
    effect: Assessment::Malicious,
    title: "serialised Java object runs code when it is read",
    why: "`readObject` of this class, or of one that holds it, calls methods that the stream chooses",
    fix: "do not load the file",
    cwe: &[502],
    atlas: &["AML.T0010.003", "AML.T0011.000"],
};

/// Whether this is a stream of objects: its mark, version 5, and the mark of an object, array, class or block.
pub(super) fn recognise(head: &[u8]) -> bool {
    matches!(head, [0xac, 0xed, 0, 5, 0x70..=0x7e, ..])
}

/// How the names of classes begin, or are, on which known chains are built (ysoserial, marshalsec, and the filters of
/// WebLogic and Jackson).
const GADGETS: &[&str] = &[
    "bsh.Interpreter",
    "bsh.XThis",
    "clojure.core$",
    "clojure.inspector.proxy$",
    "com.caucho.naming.QName",
    "com.mchange.v2.c3p0.",
    "com.newrelic.agent.deps.ch.qos.logback",
    "com.rometools.rome.feed.impl.",
    "com.sun.jndi.",
    "com.sun.org.apache.xalan.internal.xsltc.trax.",
    "com.sun.rowset.JdbcRowSetImpl",
    "com.sun.syndication.feed.impl.",
    "com.vaadin.data.util.",
    "com.zaxxer.hikari.",
    "groovy.util.Expando",
    "java.beans.EventHandler",
    "java.lang.ProcessBuilder",
    "java.lang.Runtime",
    "java.net.URLClassLoader",
    "java.rmi.",
    "java.security.SignedObject",
    "javassist.",
    "javax.management.BadAttributeValueExpException",
    "javax.naming.",
    "javax.script.",
    "net.sf.json.",
    "oracle.jdbc.",
    "org.apache.click.control.",
    "org.apache.commons.beanutils.BeanComparator",
    "org.apache.commons.collections.functors.",
    "org.apache.commons.collections.keyvalue.TiedMapEntry",
    "org.apache.commons.collections.map.LazyMap",
    "org.apache.commons.collections.comparators.TransformingComparator",
    "org.apache.commons.collections4.functors.",
    "org.apache.commons.collections4.keyvalue.TiedMapEntry",
    "org.apache.commons.collections4.map.LazyMap",
    "org.apache.commons.collections4.comparators.TransformingComparator",
    "org.apache.commons.configuration.",
    "org.apache.commons.fileupload.disk.",
    "org.apache.myfaces.",
    "org.apache.wicket.util.upload.",
    "org.apache.xalan.",
    "org.aspectj.weaver.tools.cache.",
    "org.codehaus.groovy.runtime.",
    "org.hibernate.engine.spi.TypedValue",
    "org.hibernate.tuple.component.",
    "org.jboss.interceptor.",
    "org.jboss.weld.interceptor.",
    "org.mozilla.javascript.",
    "org.python.core.",
    "org.springframework.aop.",
    "org.springframework.beans.factory.",
    "org.springframework.core.SerializableTypeWrapper",
    "sun.reflect.annotation.AnnotationInvocationHandler",
    "sun.rmi.",
    "ysoserial.",
];

/// The mark of a class description: its name follows, after a length of two bytes.
const CLASS: u8 = 0x72;
/// The longest name of a class that counts as one.
const NAME: usize = 256;
/// Names of interfaces follow this mark.
const PROXY: u8 = 0x7d;

/// Looks for descriptions of classes, wherever they stand: what is between them depends on the classes themselves.
pub(super) fn read(source: &dyn Source, scan: &mut Scan<'_>) -> Parsed<()> {
    const WINDOW: usize = 1 << 16;
    let mut cursor = Cursor::at(source, 4);
    while cursor.left() > 0 {
        let start = cursor.position();
        let bytes = cursor.peek(WINDOW)?;
        let bytes = bytes.get(..WINDOW).unwrap_or(bytes);
        let found: Vec<(usize, String)> = memchr::memchr2_iter(CLASS, PROXY, bytes)
            .filter_map(|at| Some((at, gadget(bytes, at)?)))
            .collect();
        let size = bytes.len();
        scan.spend(1 + size as u64 / 16)?;
        for (at, name) in found {
            scan.find(&GADGET, start + at as u64, format!("the class `{}`", shown(&name)));
        }
        // A description that this window cuts off is in the next one.
        cursor.skip(if cursor.left() > size as u64 {
            size.saturating_sub(NAME + 8).max(1) as u64
        } else {
            size as u64
        })?;
    }
    Ok(())
}

/// The name at a mark, if it is one on which chains are built.
fn gadget(bytes: &[u8], at: usize) -> Option<String> {
    // The descriptor of a proxy has a count of four bytes before its first name.
    let skip = if bytes.get(at) == Some(&PROXY) { 5 } else { 1 };
    let rest = bytes.get(at + skip..)?;
    let length = usize::from(u16::from_be_bytes(*rest.first_chunk()?));
    let name = std::str::from_utf8(rest.get(2..2 + length.min(NAME))?).ok()?;
    // Arrays: `[Lorg.apache…;`.
    let class = name.trim_start_matches('[').trim_start_matches('L').trim_end_matches(';');
    GADGETS.iter().any(|gadget| class.starts_with(gadget)).then(|| class.to_owned())
}

#[cfg(test)]
mod tests {
    use bastide_types::Assessment;
    use proptest::prelude::*;

    use crate::{Format, Limits, scan};

    fn stream(names: &[&str]) -> Vec<u8> {
        let mut bytes = vec![0xac, 0xed, 0, 5];
        for name in names {
            bytes.extend([b's', b'r', 0, u8::try_from(name.len()).unwrap()]);
            bytes.extend(name.as_bytes());
            bytes.extend([0; 12]);
        }
        bytes
    }

    #[test]
    fn classes_that_act_are_told_from_models() {
        let judge = |bytes: Vec<u8>| {
            let report = scan(&bytes, "x.model", &Limits::default());
            assert_eq!(report.format, Format::Java);
            report.assessment()
        };
        assert_eq!(judge(stream(&["weka.classifiers.trees.J48", "java.util.HashMap"])), Assessment::Clean);
        let gadget = "org.apache.commons.collections.functors.InvokerTransformer";
        assert_eq!(judge(stream(&["java.util.HashSet", gadget])), Assessment::Malicious);
        assert_eq!(judge(stream(&["[Lorg.apache.commons.collections.functors.X;"])), Assessment::Malicious);
        // Across the edge of a window.
        for gap in 65_400..65_560 {
            let mut bytes = stream(&["weka.core.Instances"]);
            bytes.resize(gap, 0);
            bytes.extend(stream(&[gadget]));
            assert_eq!(judge(bytes), Assessment::Malicious, "{gap}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes: Vec<u8>) {
            let _ = scan(&[b"\xac\xed\0\x05sr".as_slice(), &bytes].concat(), "x", &Limits::default());
        }
    }
}
