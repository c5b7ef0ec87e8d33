//! Home Assistant and other clients of an MQTT broker: tells of this machine, shows its picture, takes wishes (device discovery of Home Assistant,
//! <https://www.home-assistant.io/integrations/mqtt/#device-discovery-payload>). On a thread of its own: a broker that is away, or slow, holds up
//! neither the start nor a drawing. Depends on `rumqttc`.
//!
//! | topic below `inkstone/ID/` | what it says |
//! |---|---|
//! | `status` | `online` or `offline` |
//! | `picture` | the picture that is shown, as PNG |
//! | `prompt`, `style`, `steps`, `display`, `temperature`, `message` | the state of each |
//! | `prompt/set`, `style/set`, `steps/set`, `display/set` | sets it |
//! | `draw/set` | draws what was set; a text other than `PRESS` is drawn as the prompt |

use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Weak};
use std::thread::JoinHandle;
use std::time::Duration;

use rumqttc::{AsyncClient, Event, EventLoop, LastWill, MqttOptions, Packet, Publish, QoS};
use serde_json::{Value, json};
use tokio::sync::watch;

use super::network::host_name;
use super::offer::Offer;
use super::queue::{Job, State};
use super::site::Site;
use super::wish::Wish;
use crate::bounded_file;
use crate::kiosk::heat::Thermometer;
use crate::kiosk::state::Scene;
use crate::picture::{Picture, png};

/// How often pictures, temperature and jobs are looked at.
const LOOK: Duration = Duration::from_secs(1);
/// Looks between two readings of the temperature.
const THERMOMETER: u32 = 30;
/// Delays between two tries to reach the broker.
const RETRY: std::ops::RangeInclusive<u64> = 1..=60;
/// How long saying goodbye may take.
const GOODBYE: Duration = Duration::from_millis(500);
/// Packets that wait to be sent. More are dropped.
const WAITING: usize = 32;
/// Largest packet in bytes: a picture.
const PACKET: usize = 16 << 20;
/// Longest prompt in letters: what a state of Home Assistant holds.
const PROMPT: usize = 255;
/// The style where none is chosen.
const ANY: &str = "any";
/// The owner's own broker asks for the owner.
const BROKER: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// A connection to a broker. Dropping it says goodbye.
pub struct Mqtt {
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
}

impl Mqtt {
    /// Starts the thread, if the settings name a broker.
    pub fn start(site: &Arc<Site>) -> Option<Mqtt> {
        let settings = &site.settings.mqtt;
        let (host, port) = settings.address()?;
        let id = identifier(&host_name());
        let mut options = MqttOptions::new(&id, host, port);
        options.set_keep_alive(Duration::from_secs(30));
        options.set_max_packet_size(PACKET, PACKET);
        options.set_last_will(LastWill::new(topic(&id, "status"), "offline", QoS::AtLeastOnce, true));
        if let Some(user) = &settings.user {
            let password = match settings
                .password_file
                .as_deref()
                .map(|file| bounded_file::read_text(file, bounded_file::TEXT))
            {
                None => String::new(),
                Some(Ok(text)) => text.lines().next().unwrap_or_default().to_owned(),
                Some(Err(error)) => {
                    log::error!("the broker's password: {error}");
                    return None;
                }
            };
            options.set_credentials(user, password);
        }
        let (client, events) = AsyncClient::new(options, WAITING);
        let (stop, stopped) = watch::channel(false);
        let link = Link {
            prefix: settings.discovery.clone(),
            site: Arc::downgrade(site),
            id,
            client,
            told: Told::default(),
            looks: 0,
            job: None,
        };
        let thread = std::thread::Builder::new().name("mqtt".into()).spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            match runtime {
                Ok(runtime) => {
                    runtime.block_on(link.run(events, stopped));
                    // Looking up a name that cannot be found blocks.
                    runtime.shutdown_background();
                }
                Err(error) => log::error!("no connection to a broker: {error}"),
            }
        });
        let thread = thread.inspect_err(|error| log::error!("no connection to a broker: {error}")).ok()?;
        Some(Mqtt {
            stop,
            thread: Some(thread),
        })
    }
}

impl Drop for Mqtt {
    fn drop(&mut self) {
        self.stop.send_replace(true);
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            log::error!("the connection to the broker panicked");
        }
    }
}

/// A text that may stand in topics and identifiers.
fn identifier(name: &str) -> String {
    let letter = |letter: char| {
        if letter.is_ascii_alphanumeric() {
            letter.to_ascii_lowercase()
        } else {
            '_'
        }
    };
    format!("inkstone_{}", name.chars().map(letter).collect::<String>())
}

fn topic(id: &str, name: &str) -> String {
    format!("inkstone/{id}/{name}")
}

/// What was set and told.
#[derive(Default)]
struct Told {
    prompt: String,
    style: Option<String>,
    steps: Option<usize>,
    picture: Option<Arc<Picture>>,
    temperature: Option<i32>,
    display: Option<bool>,
    offer: Option<Offer>,
}

struct Link {
    prefix: String,
    site: Weak<Site>,
    id: String,
    client: AsyncClient,
    told: Told,
    looks: u32,
    /// What was asked for last.
    job: Option<Arc<Job>>,
}

impl Link {
    async fn run(mut self, mut events: EventLoop, mut stopped: watch::Receiver<bool>) {
        let mut wait = *RETRY.start();
        let mut look = tokio::time::interval(LOOK);
        loop {
            let event = tokio::select! {
                event = events.poll() => event,
                _ = look.tick() => {
                    self.look();
                    continue;
                }
                _ = stopped.wait_for(|stopped| *stopped) => break,
            };
            match event {
                Ok(Event::Incoming(Packet::ConnAck(_))) => {
                    log::info!("connected to the broker");
                    wait = *RETRY.start();
                    self.introduce();
                }
                Ok(Event::Incoming(Packet::Publish(message))) => self.received(&message),
                Ok(_) => {}
                Err(error) => {
                    if wait == *RETRY.start() {
                        log::warn!("the broker: {error}; trying again");
                    }
                    let sleep = tokio::time::sleep(Duration::from_secs(wait));
                    tokio::select! {
                        () = sleep => {}
                        _ = stopped.wait_for(|stopped| *stopped) => break,
                    }
                    wait = (wait * 2).min(*RETRY.end());
                }
            }
        }
        self.publish("status", b"offline".to_vec());
        let goodbye = async {
            while events
                .poll()
                .await
                .is_ok_and(|event| !matches!(event, Event::Incoming(Packet::PubAck(_))))
            {}
        };
        tokio::time::timeout(GOODBYE, goodbye).await.ok();
    }

    /// Tells a broker, or a Home Assistant that has just started, of everything.
    fn introduce(&mut self) {
        let (commands, birth) = (topic(&self.id, "+/set"), format!("{}/status", self.prefix));
        for topic in [commands, birth] {
            self.dropped(self.client.try_subscribe(topic, QoS::AtLeastOnce));
        }
        self.announce();
        let Told { prompt, style, steps, .. } = std::mem::take(&mut self.told);
        self.told = Told {
            prompt,
            style,
            steps,
            ..Told::default()
        };
        self.publish("status", b"online".to_vec());
        self.tell_choice();
        self.looks = 0;
        self.look();
    }

    fn announce(&self) {
        let Some(site) = self.site.upgrade() else { return };
        let config = discovery(&self.id, &site, site.offer().as_ref());
        let topic = format!("{}/device/{}/config", self.prefix, self.id);
        self.dropped(self.client.try_publish(topic, QoS::AtLeastOnce, true, config.to_string()));
    }

    fn publish(&self, name: &str, payload: Vec<u8>) {
        self.dropped(self.client.try_publish(topic(&self.id, name), QoS::AtLeastOnce, true, payload));
    }

    /// A broker that is away gets the state when it comes back.
    fn dropped<E: std::fmt::Display>(&self, sent: Result<(), E>) {
        if let Err(error) = sent {
            log::debug!("not sent to the broker: {error}");
        }
    }

    fn tell_choice(&self) {
        self.publish("prompt", self.told.prompt.clone().into_bytes());
        self.publish("style", self.told.style.as_deref().unwrap_or(ANY).as_bytes().to_vec());
        let default = || self.told.offer.as_ref().map_or(1, |offer| offer.default_steps);
        self.publish("steps", self.told.steps.unwrap_or_else(default).to_string().into_bytes());
    }

    /// Tells what has changed.
    fn look(&mut self) {
        let Some(site) = self.site.upgrade() else { return };
        let offer = site.offer();
        if offer != self.told.offer {
            self.told.offer = offer;
            self.announce();
            self.tell_choice();
        }
        if let Some(picture) = latest_picture(&site)
            && !self.told.picture.as_ref().is_some_and(|told| Arc::ptr_eq(told, &picture))
        {
            match png::encode(&picture, None) {
                Ok(bytes) => self.publish("picture", bytes),
                Err(error) => log::debug!("{error}"),
            }
            self.told.picture = Some(picture);
        }
        let display = is_awake(&site);
        if display.is_some() && display != self.told.display {
            self.told.display = display;
            self.publish("display", if display == Some(true) { b"ON".to_vec() } else { b"OFF".to_vec() });
        }
        if self.looks.is_multiple_of(THERMOMETER) {
            let celsius = Thermometer::new("/".as_ref()).read().celsius.map(|celsius| celsius.round() as i32);
            if let Some(celsius) = celsius.filter(|celsius| self.told.temperature != Some(*celsius)) {
                self.told.temperature = Some(celsius);
                self.publish("temperature", celsius.to_string().into_bytes());
            }
        }
        self.looks = self.looks.wrapping_add(1);
        self.tell_job();
    }

    /// Tells what came of the last wish.
    fn tell_job(&mut self) {
        let Some(job) = self.job.take_if(|job| job.status().state.is_over()) else {
            return;
        };
        let status = job.status();
        let notes = status.pictures.iter().flat_map(|finished| &finished.notes);
        let notes: Vec<String> = notes
            .filter_map(|note| note["message"].as_str())
            .map(str::to_owned)
            .chain(status.notes.clone())
            .collect();
        let message = match (status.state, &status.refusal) {
            (State::Done, _) if notes.is_empty() => "drawn".to_owned(),
            (State::Done, _) => notes.join("; "),
            (_, Some(refusal)) => refusal.message.clone(),
            (state, None) => state.name().to_owned(),
        };
        self.say(&message);
    }

    /// A state of Home Assistant has at most 255 letters.
    fn say(&self, message: &str) {
        let message: String = message.chars().take(255).collect();
        self.publish("message", message.into_bytes());
    }

    fn received(&mut self, message: &Publish) {
        let text = String::from_utf8_lossy(&message.payload).trim().to_owned();
        if message.topic == format!("{}/status", self.prefix) {
            if text == "online" {
                self.introduce();
            }
            return;
        }
        let beginning = topic(&self.id, "");
        let Some(name) = message.topic.strip_prefix(&beginning).and_then(|rest| rest.strip_suffix("/set")) else {
            return;
        };
        match name {
            "prompt" => self.told.prompt = text.chars().take(PROMPT).collect(),
            "style" => self.set_style(text),
            "steps" => match self.steps(&text) {
                Some(steps) => self.told.steps = Some(steps),
                None => self.say("steps must be a number"),
            },
            "display" => self.switch(&text),
            // A command that is kept by the broker is an old one.
            "draw" if !message.retain => self.draw(&text),
            _ => return,
        }
        self.tell_choice();
    }

    fn set_style(&mut self, style: String) {
        if style == ANY || style.is_empty() {
            self.told.style = None;
        } else if self.has_style(&style) {
            self.told.style = Some(style);
        } else {
            self.say(&format!("there is no style '{}' here", style.chars().take(60).collect::<String>()));
        }
    }

    fn has_style(&self, style: &str) -> bool {
        self.told
            .offer
            .as_ref()
            .is_some_and(|offer| offer.styles.iter().any(|name| name == style))
    }

    /// The nearest number of steps that the pack has.
    fn steps(&self, text: &str) -> Option<usize> {
        let asked: f32 = text.parse().ok()?;
        let known = self.told.offer.as_ref()?.steps.iter().copied();
        known.min_by(|one, other| (*one as f32 - asked).abs().total_cmp(&(*other as f32 - asked).abs()))
    }

    fn switch(&mut self, text: &str) {
        let Some(site) = self.site.upgrade() else { return };
        if let Some(kiosk) = &site.kiosk {
            kiosk.switch_display(text.eq_ignore_ascii_case("on")).ok();
        }
    }

    fn draw(&mut self, text: &str) {
        let Some(site) = self.site.upgrade() else { return };
        if text != "PRESS" && !text.is_empty() {
            self.told.prompt = text.chars().take(PROMPT).collect();
        }
        let wish = Wish {
            prompt: self.told.prompt.clone(),
            style: self.told.style.clone(),
            steps: self.told.steps,
            ..Wish::default()
        };
        match site.submit(wish, BROKER, true) {
            Ok(job) => {
                self.job = Some(job);
                self.say("drawing");
            }
            Err(refusal) => self.say(&refusal.message),
        }
    }
}

/// What is shown, or was drawn last.
fn latest_picture(site: &Site) -> Option<Arc<Picture>> {
    if let Some(kiosk) = &site.kiosk {
        let view = kiosk.subscribe().latest()?;
        return match &view.scene {
            Scene::Attract { .. } | Scene::Picture { .. } => super::api::own::shown(&view.scene).map(|shown| shown.picture.clone()),
            _ => None,
        };
    }
    let jobs = site.queue.jobs();
    let last = jobs.iter().rev().find_map(|job| job.status().pictures.last().cloned());
    last.map(|finished| finished.picture.clone())
}

fn is_awake(site: &Site) -> Option<bool> {
    let view = site.kiosk.as_ref()?.subscribe().latest()?;
    Some(view.scene != Scene::Dark)
}

/// What Home Assistant is told of this machine.
fn discovery(id: &str, site: &Site, offer: Option<&Offer>) -> Value {
    let at = |name: &str| topic(id, name);
    let styles: Vec<&str> = std::iter::once(ANY)
        .chain(offer.iter().flat_map(|offer| offer.styles.iter().map(String::as_str)))
        .collect();
    let steps = offer.map_or_else(|| vec![1], |offer| offer.steps.clone());
    let entity = |platform: &str, key: &str, name: &str, icon: &str| json!({ "p": platform, "unique_id": format!("{id}_{key}"), "name": name, "icon": icon });
    let with = |mut entity: Value, more: Value| {
        if let (Some(all), Value::Object(more)) = (entity.as_object_mut(), more) {
            all.extend(more);
        }
        entity
    };
    let mut components = json!({
        "picture": with(entity("image", "picture", "Picture", "mdi:image"), json!({ "image_topic": at("picture"), "content_type": "image/png" })),
        "prompt": with(entity("text", "prompt", "Prompt", "mdi:format-quote-close"),
            json!({ "command_topic": at("prompt/set"), "state_topic": at("prompt"), "max": 255 })),
        "style": with(entity("select", "style", "Style", "mdi:palette"),
            json!({ "command_topic": at("style/set"), "state_topic": at("style"), "options": styles })),
        "steps": with(entity("number", "steps", "Steps", "mdi:stairs"), json!({
            "command_topic": at("steps/set"), "state_topic": at("steps"),
            "min": steps.first(), "max": steps.last(), "step": 1, "mode": "box" })),
        "draw": with(entity("button", "draw", "Draw", "mdi:brush"), json!({ "command_topic": at("draw/set"), "payload_press": "PRESS" })),
        "temperature": with(entity("sensor", "temperature", "Temperature", "mdi:thermometer"), json!({
            "state_topic": at("temperature"), "device_class": "temperature", "unit_of_measurement": "°C", "entity_category": "diagnostic" })),
        "message": with(entity("sensor", "message", "Message", "mdi:message-text"), json!({ "state_topic": at("message") })),
    });
    if site.kiosk.is_some() {
        components["display"] = with(
            entity("switch", "display", "Display", "mdi:monitor"),
            json!({ "command_topic": at("display/set"), "state_topic": at("display") }),
        );
    }
    json!({
        "dev": {
            "ids": id,
            "name": site.name,
            "mf": "Inkstone",
            "mdl": offer.map(|offer| offer.pack.clone()),
            "sw": env!("CARGO_PKG_VERSION"),
            "cu": site.place.url(),
        },
        "o": { "name": "inkstone", "sw": env!("CARGO_PKG_VERSION"), "url": site.place.url() },
        "cmps": components,
        "avty": [{ "topic": at("status") }],
        "qos": 1,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_have_no_letters_of_topics() {
        assert_eq!(identifier("Kitchen-Frame/+#"), "inkstone_kitchen_frame___");
        assert_eq!(topic("inkstone_a", "draw/set"), "inkstone/inkstone_a/draw/set");
    }
}
