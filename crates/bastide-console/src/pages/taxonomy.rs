//! What the categories are called in the lists of the field.

use bastide_types::Category;

/// Where a category stands in three public lists. Empty: in none.
pub(super) struct Known {
    /// OWASP Top 10 for LLM Applications, 2025 (genai.owasp.org/llm-top-10).
    pub(super) owasp: &'static str,
    /// MITRE ATLAS techniques (atlas.mitre.org/techniques).
    pub(super) atlas: &'static str,
    /// Common Weakness Enumeration (cwe.mitre.org).
    pub(super) cwe: &'static str,
}

/// Personal data: Sensitive Information Disclosure; LLM Data Leakage; Exposure of Private Personal Information.
const PERSONAL: Known = Known { owasp: "LLM02", atlas: "AML.T0057", cwe: "CWE-359" };
/// Secrets: Sensitive Information Disclosure; LLM Data Leakage; Insufficiently Protected Credentials.
const SECRET: Known = Known { owasp: "LLM02", atlas: "AML.T0057", cwe: "CWE-522" };
/// Prompt Injection; LLM Prompt Obfuscation; Improper Neutralization of Input Used for LLM Prompting.
const HIDDEN: Known = Known { owasp: "LLM01", atlas: "AML.T0068", cwe: "CWE-1427" };
/// Prompt Injection and System Prompt Leakage; LLM Prompt Injection, LLM Jailbreak and Extract LLM System Prompt;
/// Improper Neutralization of Input Used for LLM Prompting.
const INJECTION: Known =
    Known { owasp: "LLM01, LLM07", atlas: "AML.T0051, AML.T0054, AML.T0056", cwe: "CWE-1427" };
const NOWHERE: Known = Known { owasp: "", atlas: "", cwe: "" };

/// Where a category stands.
pub(super) fn known(category: Category) -> &'static Known {
    match category {
        Category::EmailAddress
        | Category::CreditCard
        | Category::IbanCode
        | Category::UsSsn
        | Category::PhoneNumber => &PERSONAL,
        Category::Secret => &SECRET,
        Category::InvisibleText => &HIDDEN,
        Category::PromptInjection => &INJECTION,
        _ => &NOWHERE,
    }
}
