//! A subject and a resource, worked out once: their entities and the policies that concern them.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, BuildHasherDefault, Hasher, RandomState};
use std::sync::{Arc, PoisonError, RwLock};

use bastide_types::{KeyId, OrganisationId, ProjectId};
use cedar_policy::{Entities, Entity, EntityId, EntityTypeName, EntityUid, RestrictedExpression};

use crate::action::ACTIONS;
use crate::index::{Candidates, Index};
use crate::memory::Permits;
use crate::schema::Names;
use crate::subject::{Resource, Subject};

/// Everything about a subject and a resource that does not depend on the circumstances.
#[derive(Debug)]
pub(crate) struct Scene {
    pub(crate) key: KeyId,
    project: ProjectId,
    organisation: OrganisationId,
    name: Box<str>,
    pub(crate) model: Box<str>,
    pub(crate) provider: Box<str>,
    owner: Option<ProjectId>,
    pub(crate) principal: EntityUid,
    pub(crate) resource: EntityUid,
    pub(crate) entities: Entities,
    pub(crate) candidates: [Candidates; ACTIONS],
    pub(crate) permits: [Permits; ACTIONS],
}

impl Scene {
    /// Works it out. Fails only when Cedar refuses an entity.
    pub(crate) fn new(
        names: &Names,
        index: &Index,
        subject: &Subject<'_>,
        resource: &Resource<'_>,
    ) -> Result<Scene, String> {
        let uid =
            |ty: &EntityTypeName, id: &str| EntityUid::from_type_name_and_id(ty.clone(), EntityId::new(id));
        let organisation = uid(&names.organisation, &subject.organisation.to_string());
        let project = uid(&names.project, &subject.project.to_string());
        let key = uid(&names.key, &subject.key.to_string());
        let provider = uid(&names.provider, resource.provider);
        let model = uid(&names.model, &format!("{}/{}", resource.provider, resource.model));
        let owner = resource.project.map(|p| uid(&names.project, &p.to_string()));
        let shared = RestrictedExpression::new_bool(owner.is_none());

        let attributes = |pairs: Vec<(&str, RestrictedExpression)>| -> HashMap<String, RestrictedExpression> {
            pairs.into_iter().map(|(k, v)| (k.to_owned(), v)).collect()
        };
        let mut entities = vec![
            Entity::with_uid(organisation.clone()),
            Entity::new_no_attrs(project.clone(), HashSet::from([organisation.clone()])),
            Entity::new(
                key.clone(),
                attributes(vec![
                    ("name", RestrictedExpression::new_string(subject.name.to_owned())),
                    ("project", RestrictedExpression::new_entity_uid(project.clone())),
                    ("organisation", RestrictedExpression::new_entity_uid(organisation)),
                ]),
                HashSet::from([project.clone()]),
            )
            .map_err(|e| e.to_string())?,
            Entity::new(
                provider.clone(),
                attributes(vec![("shared", shared.clone())]),
                owner.iter().cloned().collect(),
            )
            .map_err(|e| e.to_string())?,
            Entity::new(
                model.clone(),
                attributes(vec![
                    ("name", RestrictedExpression::new_string(resource.model.to_owned())),
                    ("provider", RestrictedExpression::new_entity_uid(provider.clone())),
                    ("shared", shared),
                ]),
                HashSet::from([provider]),
            )
            .map_err(|e| e.to_string())?,
        ];
        if let Some(owner) = owner.filter(|o| *o != project) {
            entities.push(Entity::with_uid(owner));
        }
        let entities = Entities::from_entities(entities, None).map_err(|e| e.to_string())?;
        let candidates = index.candidates(
            (&key, entities.ancestors(&key).into_iter().flatten()),
            (&model, entities.ancestors(&model).into_iter().flatten()),
        );
        Ok(Scene {
            key: subject.key,
            project: subject.project,
            organisation: subject.organisation,
            name: subject.name.into(),
            model: resource.model.into(),
            provider: resource.provider.into(),
            owner: resource.project,
            principal: key,
            resource: model,
            entities,
            candidates,
            permits: Default::default(),
        })
    }

    /// Whether this is the scene of exactly these two.
    pub(crate) fn is_of(&self, subject: &Subject<'_>, resource: &Resource<'_>) -> bool {
        self.key == subject.key
            && self.project == subject.project
            && self.organisation == subject.organisation
            && *self.name == *subject.name
            && *self.model == *resource.model
            && *self.provider == *resource.provider
            && self.owner == resource.project
    }
}

/// Scenes of recent requests. An exchange decides several times about the same pair, and keys call the same models all
/// day. Bounded: two generations of [`Scenes::GENERATION`]; when the young one is full, the old one goes.
#[derive(Debug, Default)]
pub(crate) struct Scenes {
    hasher: RandomState,
    generations: RwLock<Generations>,
}

#[derive(Debug, Default)]
struct Generations {
    young: Hashed<Arc<Scene>>,
    old: Hashed<Arc<Scene>>,
}

/// A map whose keys are keyed hashes already.
type Hashed<T> = HashMap<u64, T, BuildHasherDefault<AsItIs>>;

#[derive(Default)]
struct AsItIs(u64);

impl Hasher for AsItIs {
    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }

    /// INVARIANT: no key of [`Hashed`] has anything but a number.
    fn write(&mut self, _bytes: &[u8]) {}

    fn finish(&self) -> u64 {
        self.0
    }
}

impl Scenes {
    /// A scene takes about 4 kB, three times that with many tools: two generations are 4 to 12 MB.
    const GENERATION: usize = 512;
    /// Names are the caller's: long ones are worked out each time instead of being kept.
    const MAX_NAME_BYTES: usize = 256;

    /// The scene of these two, from memory or made by `make`.
    pub(crate) fn get<E>(
        &self,
        subject: &Subject<'_>,
        resource: &Resource<'_>,
        make: impl FnOnce() -> Result<Scene, E>,
    ) -> Result<Arc<Scene>, E> {
        let hash = self.hash(subject, resource);
        {
            let generations = self.generations.read().unwrap_or_else(PoisonError::into_inner);
            // The hash only finds the place: a hit is compared field by field, so that two pairs that collide never
            // share a decision (a truncated cache key was CVE-2026-35030).
            if let Some(scene) = generations.young.get(&hash).filter(|s| s.is_of(subject, resource)) {
                return Ok(Arc::clone(scene));
            }
        }
        let old = {
            let generations = self.generations.read().unwrap_or_else(PoisonError::into_inner);
            generations.old.get(&hash).filter(|s| s.is_of(subject, resource)).cloned()
        };
        let scene = match old {
            Some(scene) => scene,
            None => Arc::new(make()?),
        };
        if resource.model.len().max(resource.provider.len()).max(subject.name.len()) <= Self::MAX_NAME_BYTES {
            let mut generations = self.generations.write().unwrap_or_else(PoisonError::into_inner);
            if generations.young.len() >= Self::GENERATION {
                generations.old = std::mem::take(&mut generations.young);
            }
            generations.young.insert(hash, Arc::clone(&scene));
        }
        Ok(scene)
    }

    fn hash(&self, subject: &Subject<'_>, resource: &Resource<'_>) -> u64 {
        // What tells one caller's scenes apart. The rest of a scene hardly ever differs where these are the same.
        let mut hasher = self.hasher.build_hasher();
        hasher.write(subject.key.as_bytes());
        hasher.write(resource.provider.as_bytes());
        hasher.write_u8(b'/');
        hasher.write(resource.model.as_bytes());
        hasher.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema;

    fn subject(name: &str) -> Subject<'_> {
        Subject {
            key: KeyId::from_bytes([1; 16]),
            project: ProjectId::from_bytes([2; 16]),
            organisation: OrganisationId::from_bytes([3; 16]),
            name,
        }
    }

    #[test]
    fn memory_is_bounded_however_many_models_a_caller_invents() {
        let (_, names) = schema::load().unwrap();
        let (index, scenes) = (Index::default(), Scenes::default());
        let subject = subject("ci");
        let ask = |model: &str| {
            let resource = Resource { model, provider: "p", project: None };
            scenes.get(&subject, &resource, || Scene::new(&names, &index, &subject, &resource)).unwrap()
        };
        let kept = || {
            let generations = scenes.generations.read().unwrap();
            generations.young.len() + generations.old.len()
        };
        for n in 0..5_000 {
            ask(&n.to_string());
            assert!(kept() <= 2 * Scenes::GENERATION);
        }
        assert!(Arc::ptr_eq(&ask("4999"), &ask("4999")), "what was just used is remembered");
        let before = kept();
        ask(&"x".repeat(10_000));
        assert_eq!(kept(), before, "a long name is not kept");
    }

    #[test]
    fn a_hit_is_exact_in_every_part() {
        let (_, names) = schema::load().unwrap();
        let index = Index::default();
        let (a, r) = (subject("ci"), Resource { model: "m", provider: "p", project: None });
        let scene = Scene::new(&names, &index, &a, &r).unwrap();
        assert!(scene.is_of(&a, &r));
        let p = ProjectId::from_bytes([9; 16]);
        for other in [
            Subject { key: KeyId::from_bytes([9; 16]), ..a },
            Subject { project: p, ..a },
            Subject { organisation: OrganisationId::from_bytes([9; 16]), ..a },
            Subject { name: "cd", ..a },
        ] {
            assert!(!scene.is_of(&other, &r), "{other:?}");
        }
        for other in [
            Resource { model: "n", ..r },
            Resource { provider: "q", ..r },
            Resource { project: Some(p), ..r },
        ] {
            assert!(!scene.is_of(&a, &other), "{other:?}");
        }
    }
}
