//! What to do when a broker refuses something. This goes by the text of the answer: one AMQP code stands for many reasons,
//! which need different measures.

/// What `RabbitMQ`, or the client, says, and what to do about it: the first entry counts all of whose words are in the text.
const ADVICE: [(&[&str], &str); 15] = [
    (
        &["access to topic '"],
        "the user's topic permission leaves out this key, which is the source of the log: widen it with `rabbitmqctl \
         set_topic_permissions`, or end it with `rabbitmqctl clear_topic_permissions`",
    ),
    (
        &["Login was refused"],
        "check the user and the password in the URL: a new broker, and the embedded one, know guest:guest alone, and \
         RabbitMQ lets guest in from its own machine only",
    ),
    (&["queue limit in vhost"], "raise max-queues with `rabbitmqctl set_vhost_limits`"),
    (&["user connection limit"], "raise max-connections with `rabbitmqctl set_user_limits`"),
    (&["node connection limit"], "raise connection_max in the broker's configuration"),
    (&["connection limit ("], "raise max-connections with `rabbitmqctl set_vhost_limits`"),
    (&["channels opened for user"], "raise max-channels with `rabbitmqctl set_user_limits`"),
    (&["channels opened on node"], "raise channel_max_per_node in the broker's configuration"),
    (
        &["maximum number of channels for this connection"],
        "raise channel_max in the URL or in the broker's configuration, or run fewer consumers in one host",
    ),
    (&["inequivalent arg 'x-queue-type'", "received 'stream'"], NO_STREAM),
    (&["inequivalent arg 'x-queue-type'", "received the value 'stream'"], NO_STREAM),
    (&["inequivalent arg '"], "it is there already, made otherwise: delete it, or use another --prefix"),
    (
        &["RESOURCE_LOCKED"],
        "it belongs to another connection, and goes with that: end whoever has it, or use another --prefix",
    ),
    (
        &["NOT_ALLOWED", "vhost", " not found"],
        "make the virtual host with `rabbitmqctl add_vhost`, or name another in the URL: a new broker has only %2f, and so \
         has the embedded one",
    ),
    (
        &["access to vhost", "refused for user"],
        "let the user in there with `rabbitmqctl set_permissions -p VHOST`",
    ),
];

const NO_STREAM: &str = "a queue of that name is there that is no stream: delete it when what is in it is no longer needed, or \
                         use another --prefix";

/// What to do about what was said, if it is known.
pub(crate) fn advice(sentence: &str) -> Option<&'static str> {
    // These errors pass by themselves.
    let passes = sentence.contains("is down") || sentence.contains("cannot be queried");
    let said = |words: &&[&str]| words.iter().all(|word| sentence.contains(word));
    ADVICE.iter().find(|(words, _)| !passes && said(words)).map(|(_, advice)| *advice)
}

/// The same, in the form in which it is appended to the text.
pub(crate) fn hint(sentence: &str) -> String {
    advice(sentence).map_or_else(String::new, |advice| format!("; {advice}"))
}
