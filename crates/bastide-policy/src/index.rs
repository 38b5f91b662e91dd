//! Which policies can have a say in a request at all.
//!
//! A policy's head (`principal == ..`, `action in [..]`, `resource is .. in ..`) is a conjunction that Cedar evaluates
//! before the condition. A request for which one part is false is a request to which the policy says nothing: neither
//! permit nor forbid nor error. The index files each policy under the entity its head names for the principal and the
//! one for the resource, and a request looks up the pairs made of its own entities and their ancestors.
//!
//! INVARIANT: for every request, the looked-up policies are a superset of those whose head matches, and each appears
//! once. Soundness against Cedar's own flat evaluation is tested on generated sets in `tests/differential.rs`.

use std::collections::HashMap;
use std::sync::Arc;

use cedar_policy as cedar;
use cedar_policy::{ActionConstraint, EntityUid, PolicySetError, PrincipalConstraint, ResourceConstraint};

use crate::action::{ACTIONS, Action};

/// What a head says of the principal or the resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Handle {
    /// Nothing, or only a type. Types are not told apart: each action has one principal and one resource type.
    Any,
    /// `== e`.
    At(u32),
    /// `in e`: `e` itself or what descends from it.
    Under(u32),
}

/// A policy and the actions that its head admits.
type Admitted = (cedar::Policy, [bool; ACTIONS]);

/// The policies of one pair of handles, per action.
type Bucket = [Option<Arc<cedar::PolicySet>>; ACTIONS];

/// The candidates of one request, one small set per non-empty bucket.
pub(crate) type Candidates = Vec<Arc<cedar::PolicySet>>;

#[derive(Debug, Default)]
pub(crate) struct Index {
    entities: HashMap<EntityUid, u32>,
    buckets: HashMap<(Handle, Handle), Bucket>,
}

/// Whether a policy names neither a principal nor a resource: it is then a candidate of every request.
pub(crate) fn is_unscoped(policy: &cedar::Policy) -> bool {
    principal_entity(policy).is_none() && resource_entity(policy).is_none()
}

fn principal_entity(policy: &cedar::Policy) -> Option<(EntityUid, bool)> {
    match policy.principal_constraint() {
        PrincipalConstraint::Any | PrincipalConstraint::Is(_) => None,
        PrincipalConstraint::Eq(e) => Some((e, true)),
        PrincipalConstraint::In(e) | PrincipalConstraint::IsIn(_, e) => Some((e, false)),
    }
}

fn resource_entity(policy: &cedar::Policy) -> Option<(EntityUid, bool)> {
    match policy.resource_constraint() {
        ResourceConstraint::Any | ResourceConstraint::Is(_) => None,
        ResourceConstraint::Eq(e) => Some((e, true)),
        ResourceConstraint::In(e) | ResourceConstraint::IsIn(_, e) => Some((e, false)),
    }
}

/// The actions that a head admits. Actions have no groups in the schema, so `in` means membership of the list.
fn admitted(policy: &cedar::Policy, actions: &[EntityUid; ACTIONS]) -> [bool; ACTIONS] {
    match policy.action_constraint() {
        ActionConstraint::Any => [true; ACTIONS],
        ActionConstraint::Eq(a) => actions.each_ref().map(|x| *x == a),
        ActionConstraint::In(list) => actions.each_ref().map(|x| list.contains(x)),
    }
}

impl Index {
    /// Files the policies. Fails when two have the same id.
    pub(crate) fn build(
        policies: Vec<cedar::Policy>,
        actions: &[EntityUid; ACTIONS],
    ) -> Result<Index, Box<PolicySetError>> {
        let mut index = Index::default();
        let mut filed: HashMap<(Handle, Handle), Vec<Admitted>> = HashMap::new();
        for policy in policies {
            let principal = index.handle(principal_entity(&policy));
            let resource = index.handle(resource_entity(&policy));
            let admitted = admitted(&policy, actions);
            filed.entry((principal, resource)).or_default().push((policy, admitted));
        }
        for (handles, policies) in filed {
            index.buckets.insert(handles, bucket(&policies)?);
        }
        Ok(index)
    }

    fn handle(&mut self, entity: Option<(EntityUid, bool)>) -> Handle {
        let Some((entity, exact)) = entity else { return Handle::Any };
        let next = u32::try_from(self.entities.len()).unwrap_or(u32::MAX);
        let id = *self.entities.entry(entity).or_insert(next);
        if exact { Handle::At(id) } else { Handle::Under(id) }
    }

    /// The handles under which policies about this entity may be filed.
    fn handles<'a>(&self, entity: &EntityUid, ancestors: impl Iterator<Item = &'a EntityUid>) -> Vec<Handle> {
        let mut handles = vec![Handle::Any];
        if let Some(id) = self.entities.get(entity) {
            handles.extend([Handle::At(*id), Handle::Under(*id)]);
        }
        handles.extend(ancestors.filter_map(|a| self.entities.get(a)).map(|id| Handle::Under(*id)));
        handles
    }

    /// The candidates for each action, given the two entities and everything they descend from.
    pub(crate) fn candidates<'a>(
        &self,
        principal: (&EntityUid, impl Iterator<Item = &'a EntityUid>),
        resource: (&EntityUid, impl Iterator<Item = &'a EntityUid>),
    ) -> [Candidates; ACTIONS] {
        let principals = self.handles(principal.0, principal.1);
        let resources = self.handles(resource.0, resource.1);
        let mut candidates: [Candidates; ACTIONS] = Default::default();
        for p in &principals {
            for r in &resources {
                let Some(bucket) = self.buckets.get(&(*p, *r)) else { continue };
                for (slot, set) in candidates.iter_mut().zip(bucket) {
                    slot.extend(set.iter().cloned());
                }
            }
        }
        candidates
    }
}

fn bucket(policies: &[Admitted]) -> Result<Bucket, Box<PolicySetError>> {
    let mut bucket = Bucket::default();
    for action in Action::ALL {
        let slot = action.slot();
        let of =
            |s: usize| policies.iter().map(move |(_, admitted)| admitted.get(s).copied().unwrap_or(false));
        if !of(slot).any(|a| a) {
            continue;
        }
        // Policies for every action are common: share one set between actions that admit the same policies.
        let twin =
            Action::ALL.iter().map(|a| a.slot()).take_while(|s| *s < slot).find(|s| of(*s).eq(of(slot)));
        let set = match twin.and_then(|s| bucket.get(s).cloned().flatten()) {
            Some(set) => set,
            None => Arc::new(cedar::PolicySet::from_policies(
                policies.iter().zip(of(slot)).filter(|(_, admitted)| *admitted).map(|((p, _), _)| p.clone()),
            )?),
        };
        if let Some(place) = bucket.get_mut(slot) {
            *place = Some(set);
        }
    }
    Ok(bucket)
}
