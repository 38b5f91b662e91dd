//! Making keys.

use bastide_store::{KeyLimits, KeyRow, NewKeyRow};
use bastide_types::{KeyId, ProjectId, Secret, Timestamp};

use crate::error::{AuthError, IdentityError};
use crate::identity::Identity;
use crate::name;
use crate::principal::{Principal, State};
use crate::text;

/// A key to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewKey {
    /// What people call it.
    pub name: String,
    /// The project it acts for.
    pub project: ProjectId,
    /// From when on it is refused; `None` is never.
    pub expires_at: Option<Timestamp>,
    /// What it may use.
    pub limits: KeyLimits,
    /// Made at first start to try the gateway with; for this machine only.
    pub demo: bool,
}

impl NewKey {
    /// A key without expiry and limits.
    #[must_use]
    pub fn named(name: impl Into<String>, project: ProjectId) -> Self {
        NewKey { name: name.into(), project, expires_at: None, limits: KeyLimits::default(), demo: false }
    }
}

/// A key that was checked and generated but is not in force: its id can be announced in the log first.
#[derive(Debug)]
pub struct PreparedKey {
    id: KeyId,
    new: NewKey,
    maker: Option<KeyId>,
    secret: Secret<String>,
}

impl PreparedKey {
    /// The id it will have.
    #[must_use]
    pub fn id(&self) -> KeyId {
        self.id
    }
}

impl Identity {
    /// Checks and generates a key. `maker` is the key that asks; `None` is the operator on this machine.
    ///
    /// # Errors
    /// When the name, the project, the expiry or a limit cannot be used, or the key would have more than its maker.
    pub fn prepare_key(&self, new: NewKey, maker: Option<&Principal>) -> Result<PreparedKey, IdentityError> {
        name::check("key", &new.name)?;
        // First, so that a key learns nothing about the projects of others.
        if let Some(maker) = maker {
            self.check(maker).map_err(IdentityError::Maker)?;
            within(&new, maker)?;
        }
        if self.organisation_of(new.project).is_none() {
            return Err(IdentityError::NoProject { id: new.project.to_string() });
        }
        if new.expires_at.is_some_and(|end| end <= self.now()) {
            return Err(IdentityError::ExpiredAtBirth);
        }
        for (limit, value) in limits(&new.limits) {
            if value == Some(0) {
                return Err(IdentityError::ZeroLimit { limit });
            }
        }
        let mut id = [0; 16];
        self.random.fill(&mut id);
        Ok(PreparedKey {
            id: KeyId::from_bytes(id),
            new,
            maker: maker.map(|m| m.key),
            secret: text::generate(text::KEY_PREFIX, &*self.random),
        })
    }

    /// Checks and generates the successor of a key: its name, project, limits and maker, and as long a life from now on.
    ///
    /// # Errors
    /// As [`Identity::prepare_key`]; when the key was revoked.
    pub fn prepare_successor(&self, old: &KeyRow) -> Result<PreparedKey, IdentityError> {
        if old.revoked_at.is_some() {
            return Err(IdentityError::Maker(AuthError::Revoked(old.id)));
        }
        let life = old.expires_at.map(|end| end.since(old.created_at));
        let new = NewKey {
            name: old.name.clone(),
            project: old.project,
            expires_at: life.map(|life| self.now().plus(life)),
            limits: old.limits,
            demo: old.demo,
        };
        let prepared = self.prepare_key(new, None)?;
        // Whoever bounded the old one bounds the new one.
        Ok(PreparedKey { maker: old.created_by, ..prepared })
    }

    /// Puts a successor in force and gives it out, once; the key before ends at `old_ends`, or sooner where its own end
    /// is sooner, in force when this returns. Gives the old key, the new one and the secret.
    ///
    /// # Errors
    /// As [`Identity::create_prepared`].
    pub fn rotate_prepared(
        &self,
        old: KeyId,
        old_ends: Timestamp,
        prepared: PreparedKey,
        intent_index: u64,
    ) -> Result<(KeyRow, KeyRow, Secret<String>), IdentityError> {
        self.check_maker(prepared.maker)?;
        let new = self.new_row(&prepared);
        let (before, row) = self.store.rotate_key(old, old_ends, &new, self.now(), intent_index)?;
        self.insert(&row);
        self.end_by(old, old_ends);
        Ok((before, row, prepared.secret))
    }

    fn check_maker(&self, maker: Option<KeyId>) -> Result<(), IdentityError> {
        let Some(maker) = maker else { return Ok(()) };
        let state = self.state(maker).ok_or(IdentityError::Maker(AuthError::Unknown))?;
        state.check(self.now()).map_err(IdentityError::Maker)
    }

    fn new_row<'p>(&self, prepared: &'p PreparedKey) -> NewKeyRow<'p> {
        let PreparedKey { id, new, maker, secret } = prepared;
        NewKeyRow {
            id: *id,
            project: new.project,
            name: &new.name,
            hint: text::hint(secret.expose()),
            lookup: self.hash(secret.expose()),
            demo: new.demo,
            created_by: *maker,
            expires_at: new.expires_at,
            limits: new.limits,
        }
    }

    /// Puts a prepared key in force and gives it out, once.
    ///
    /// # Errors
    /// When its maker was revoked meanwhile, or the database fails.
    pub fn create_prepared(
        &self,
        prepared: PreparedKey,
        intent_index: u64,
    ) -> Result<(KeyRow, Secret<String>), IdentityError> {
        self.check_maker(prepared.maker)?;
        let row = self.store.add_key(&self.new_row(&prepared), self.now(), intent_index)?;
        self.insert(&row);
        Ok((row, prepared.secret))
    }

    /// Makes a key for the operator: [`Identity::prepare_key`] and [`Identity::create_prepared`] in one.
    ///
    /// # Errors
    /// As those.
    pub fn create_key(
        &self,
        new: NewKey,
        intent_index: u64,
    ) -> Result<(KeyRow, Secret<String>), IdentityError> {
        self.create_prepared(self.prepare_key(new, None)?, intent_index)
    }

    /// Makes a key on behalf of another, which it never exceeds.
    ///
    /// # Errors
    /// As [`Identity::prepare_key`].
    pub fn create_key_by(
        &self,
        maker: &Principal,
        new: NewKey,
        intent_index: u64,
    ) -> Result<(KeyRow, Secret<String>), IdentityError> {
        self.create_prepared(self.prepare_key(new, Some(maker))?, intent_index)
    }
}

impl Identity {
    /// A demo key for this process only: it is in no record and ends with the process.
    ///
    /// # Errors
    /// When there is no such project.
    pub fn demo_key(&self, project: ProjectId) -> Result<Secret<String>, IdentityError> {
        let new = NewKey { demo: true, ..NewKey::named("demo", project) };
        let PreparedKey { id, secret, .. } = self.prepare_key(new, None)?;
        self.insert(&KeyRow {
            id,
            project,
            name: "demo".to_owned(),
            hint: text::hint(secret.expose()).to_owned(),
            lookup: self.hash(secret.expose()),
            demo: true,
            created_at: self.now(),
            created_by: None,
            expires_at: None,
            revoked_at: None,
            limits: KeyLimits::default(),
            intent_index: 0,
            revoke_intent_index: None,
        });
        Ok(secret)
    }
}

fn limits(limits: &KeyLimits) -> [(&'static str, Option<u64>); 4] {
    [
        ("requests_per_minute", limits.requests_per_minute),
        ("tokens_per_minute", limits.tokens_per_minute),
        ("tokens_per_day", limits.tokens_per_day),
        ("concurrency", limits.concurrency),
    ]
}

/// A key never grants more than its maker has.
fn within(new: &NewKey, maker: &Principal) -> Result<(), IdentityError> {
    let refuse = |what| Err(IdentityError::MoreThanMaker { what });
    if new.project != maker.project {
        return refuse("it belongs to another project");
    }
    if maker.demo && !new.demo {
        return refuse("a demo key makes demo keys only");
    }
    if maker.expires_at.is_some_and(|end| new.expires_at.is_none_or(|e| e > end)) {
        return refuse("it expires later or never");
    }
    for ((limit, has), (_, wants)) in limits(&maker.limits).into_iter().zip(limits(&new.limits)) {
        if has.is_some_and(|has| wants.is_none_or(|w| w > has)) {
            return refuse(limit);
        }
    }
    if maker.state.depth() + 1 > State::MAX_DEPTH {
        return refuse("keys that make keys that make keys end after four");
    }
    Ok(())
}
