//! The first exchange: asked from here, of the built-in demo model, as any application would.

use std::sync::{Arc, PoisonError};

use bastide_gateway::{EXCHANGE_HEADER, RECEIPT_HEADER};
use bastide_identity::Principal;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Limited};
use serde::Serialize;
use serde_json::{Value, json};

use crate::admin::Admin;
use crate::failure::{Failure, could_not};

/// What the demo is asked: something that the guard replaces.
const ASKS: &str = "my card is 4111 1111 1111 1111, and my mail is ada@example.org";
/// The demo repeats what it was asked.
const MOST_ANSWER_BYTES: usize = 64 << 10;

/// An exchange with the demo model.
#[derive(Clone, Debug, Serialize)]
pub struct DemoExchange {
    /// What was asked.
    pub asked: &'static str,
    /// HTTP status.
    pub status: u16,
    /// Its id.
    pub exchange: String,
    /// Its receipt; empty where it was given none.
    pub receipt: String,
    /// What the model said, as a caller gets it; for a refusal, why.
    pub answer: String,
}

impl Admin {
    /// Whether the demo model answers here: no provider was there when the server started.
    #[must_use]
    pub fn has_demo(&self) -> bool {
        self.gateway.is_some() && self.node.demo_provider.is_some()
    }

    /// Asks the demo model something that the guard acts on, through the whole gateway.
    ///
    /// # Errors
    /// When there is no demo model here, or its answer cannot be read.
    pub async fn demo_exchange(&self) -> Result<DemoExchange, Failure> {
        let gateway = self.gateway.as_ref().filter(|_| self.has_demo()).ok_or_else(|| {
            Failure::could_not("the demo model answers only where the server started without a provider")
        })?;
        let body = json!({"model": "demo", "messages": [{"role": "user", "content": ASKS}]}).to_string();
        let response = gateway.chat(self.demo_principal()?, Bytes::from(body)).await;
        let (head, body) = response.into_parts();
        let header = |name| {
            let value = head.headers.get(name).and_then(|value| value.to_str().ok());
            value.unwrap_or_default().to_owned()
        };
        let (exchange, receipt) = (header(EXCHANGE_HEADER), header(RECEIPT_HEADER));
        let status = head.status.as_u16();
        let body = Limited::new(body, MOST_ANSWER_BYTES).collect().await;
        let body = body.map_err(|_| Failure::could_not("the demo's answer cannot be read"))?.to_bytes();
        let said: Value = serde_json::from_slice(&body).unwrap_or_default();
        let text = said["choices"][0]["message"]["content"].as_str().or(said["error"]["message"].as_str());
        let answer = text.unwrap_or_default().to_owned();
        Ok(DemoExchange { asked: ASKS, status, exchange, receipt, answer })
    }

    /// The key of these exchanges: in no record, made when it is first needed, gone with the process.
    fn demo_principal(&self) -> Result<Arc<Principal>, Failure> {
        let mut held = self.demo.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(principal) = &*held {
            return Ok(Arc::clone(principal));
        }
        let key = self.node.demo_key()?;
        let principal = self.node.identity.authenticate(key.expose()).map_err(could_not)?;
        self.names_changed();
        Ok(Arc::clone(held.insert(principal)))
    }
}
