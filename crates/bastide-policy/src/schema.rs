//! The schema: what policies can speak of. A policy that does not type-check against it is refused.

use std::fmt::Write as _;

use bastide_types::Category;
use cedar_policy::{EntityId, EntityTypeName, EntityUid, Schema};

use crate::action::{ACTIONS, Action};

/// The schema in Cedar's schema syntax, generated from the categories so that the two cannot drift apart.
#[must_use]
pub fn schema_text() -> String {
    let mut scores = String::new();
    for category in Category::ALL {
        // Writing to a `String` cannot fail.
        let _ = writeln!(scores, "    {}?: Long,", category.as_str());
    }
    format!(
        r#"namespace Bastide {{
  // Principals. `principal in Bastide::Project::"prj_..."` holds for each key of the project.
  entity Organisation;
  entity Project in [Organisation];
  entity Key in [Project] = {{ name: String, project: Project, organisation: Organisation }};

  // Resources. A provider belongs to one project, or is shared by all; a model's id is `provider/model`.
  entity Provider in [Project] = {{ shared: Bool }};
  entity Model in [Provider] = {{ name: String, provider: Provider, shared: Bool }};

  // The highest score of each category that was found, in per mille; absent when it was not.
  type Scores = {{
{scores}  }};
  type Found = {{
    stream: Bool,          // a stream was asked for
    demo: Bool,            // the caller may use the demo provider
    unscanned: Bool,       // something could not be inspected: an image, audio, a file
    // The names of tools: those offered (release), those that the reply calls (receive; on a stream the question is
    // asked again when a name is complete, before the arguments go out), the one written to (restore).
    tools: Set<String>,
    categories: Set<String>,
    scores: Scores,
    origins: Set<String>,  // who wrote the texts in which something was found
    verdict: String,       // the guard's: allow, flag, tokenise, redact, hold, block
  }};

  action invoke appliesTo {{
    principal: [Key], resource: [Model],
    context: {{ stream: Bool, demo: Bool, unscanned: Bool, tools: Set<String> }},
  }};
  action release, receive, restore appliesTo {{ principal: [Key], resource: [Model], context: Found }};
}}
"#
    )
}

/// The names of the schema, ready for use.
#[derive(Debug)]
pub(crate) struct Names {
    pub(crate) organisation: EntityTypeName,
    pub(crate) project: EntityTypeName,
    pub(crate) key: EntityTypeName,
    pub(crate) provider: EntityTypeName,
    pub(crate) model: EntityTypeName,
    pub(crate) actions: [EntityUid; ACTIONS],
}

/// Parses schema and names. Fails only when the text above is wrong, which a test excludes.
pub(crate) fn load() -> Result<(Schema, Names), String> {
    let (schema, _warnings) = Schema::from_cedarschema_str(&schema_text()).map_err(|e| e.to_string())?;
    let ty = |name: &str| format!("Bastide::{name}").parse::<EntityTypeName>().map_err(|e| e.to_string());
    let action_type = ty("Action")?;
    let actions =
        Action::ALL.map(|a| EntityUid::from_type_name_and_id(action_type.clone(), EntityId::new(a.name())));
    let names = Names {
        organisation: ty("Organisation")?,
        project: ty("Project")?,
        key: ty("Key")?,
        provider: ty("Provider")?,
        model: ty("Model")?,
        actions,
    };
    Ok((schema, names))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_loads_and_declares_exactly_our_actions() {
        let (schema, names) = load().unwrap();
        let mut declared: Vec<String> = schema.actions().map(ToString::to_string).collect();
        let mut ours: Vec<String> = names.actions.iter().map(ToString::to_string).collect();
        declared.sort();
        ours.sort();
        assert_eq!(declared, ours);
        assert_eq!(schema.entity_types().count(), 5);
    }

    #[test]
    fn every_category_has_a_score() {
        let text = schema_text();
        for c in Category::ALL {
            assert!(text.contains(&format!("{}?: Long", c.as_str())), "{c}");
        }
    }
}
