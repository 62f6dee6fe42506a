//! The files for containers: what they name is there, and the configurations in them are what loghost takes.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use libtest_mimic::Trial;
use yaml_rust2::{Yaml, YamlLoader};

use super::{file, text};
use crate::support::cli::loghost;
use crate::support::{Need, Skip, needing, repository, test, tracked};

pub(super) fn trials() -> Vec<Trial> {
    vec![
        test("deploy::the_image_is_built_of_what_is_there", image),
        test("deploy::compose_names_what_is_there", compose),
        test("deploy::kubernetes_names_what_is_there", kubernetes),
        needing("deploy::files_are_as_their_schemas_say", schemas),
        test("deploy::each_configuration_is_valid", configurations),
        test("deploy::each_variable_is_one_of_loghost", variables),
    ]
}

/// The documents of a file.
fn yaml(path: &str) -> Vec<Yaml> {
    YamlLoader::load_from_str(&text(path)).expect("YAML")
}

/// The values of a list, or the keys of a table, as texts.
fn names(of: &Yaml) -> Vec<&str> {
    match of {
        Yaml::Array(values) => values.iter().filter_map(Yaml::as_str).collect(),
        Yaml::Hash(table) => table.keys().filter_map(Yaml::as_str).collect(),
        _ => Vec::new(),
    }
}

fn image() {
    let container = text("container/Containerfile");
    let mut copied = 0;
    for line in container.lines().filter(|line| line.starts_with("COPY ") && !line.contains("--from=")) {
        let mut paths: Vec<&str> = line.split(' ').skip(1).collect();
        paths.pop();
        for path in paths {
            let path = path.trim_end_matches("*.wasm");
            assert!(repository().join(path).exists(), "{path}");
            copied += 1;
        }
    }
    assert!(copied >= 3, "{container}");
    assert!(container.contains(":nonroot\n"), "{container}");
    // What the health check asks is where it listens.
    assert!(container.contains("\"http://127.0.0.1:9090/live\""), "{container}");
    for configuration in ["container/loghost.toml", "compose/configuration/loghost.toml"] {
        assert!(text(configuration).contains("\nlisten = \"127.0.0.1:9090\"\n"), "{configuration}");
    }
    assert!(text("compose/prometheus.yml").contains("targets: [\"127.0.0.1:9090\"]"));
}

fn compose() {
    let folder = file("compose");
    let all = yaml("compose/compose.yaml");
    let (services, volumes) = (&all[0]["services"], names(&all[0]["volumes"]));
    assert_eq!(names(services), ["rabbitmq", "loghost", "prometheus", "grafana"]);
    for service in names(services) {
        let it = &services[service];
        assert!(it["image"].as_str().is_some(), "{service}");
        for other in names(&it["depends_on"]) {
            assert!(!services[other].is_badvalue(), "{service}: {other}");
        }
        for volume in names(&it["volumes"]) {
            let (source, target) = volume.split_once(':').expect("a source and a target");
            assert!(target.starts_with('/'), "{service}: {volume}");
            let is_there = if source.starts_with('.') {
                folder.join(source).exists()
            } else {
                volumes.contains(&source)
            };
            assert!(is_there, "{service}: {volume}");
        }
        // For this machine alone.
        for port in names(&it["ports"]) {
            assert!(port.starts_with("127.0.0.1:"), "{service}: {port}");
        }
    }
    let build = &services["loghost"]["build"];
    let context = folder.join(build["context"].as_str().expect("a folder"));
    assert!(context.join(build["dockerfile"].as_str().expect("a file")).exists(), "{build:?}");
    let dashboards = yaml("compose/grafana/dashboards.yaml");
    let path = dashboards[0]["providers"][0]["options"]["path"].as_str().expect("a folder");
    let mounted = names(&services["grafana"]["volumes"]);
    assert!(mounted.iter().any(|volume| volume.contains(&format!(":{path}/"))), "{mounted:?}");
}

fn schemas() -> Result<(), Skip> {
    let succeeds = |program: &str, arguments: &[&str], path: &str| {
        let checked = Command::new(program).args(arguments).arg(file(path)).output();
        let reason = "no schemas: pip install check-jsonschema kubernetes-validate";
        let checked = checked.map_err(|_| Skip::new(Need::Python, reason))?;
        assert!(checked.status.success(), "{path}: {checked:?}");
        Ok(())
    };
    let compose = ["--builtin-schema", "vendor.compose-spec"];
    succeeds("check-jsonschema", &compose, "compose/compose.yaml")?;
    succeeds("kubernetes-validate", &["--strict"], "kubernetes/loghost.yaml")
}

fn kubernetes() {
    let all = yaml("kubernetes/loghost.yaml");
    let of_kind = |kind: &str| {
        let found = all.iter().find(|it| it["kind"].as_str() == Some(kind));
        found.unwrap_or_else(|| panic!("no {kind}"))
    };
    let (set, service, configuration) = (of_kind("StatefulSet"), of_kind("Service"), of_kind("ConfigMap"));
    let (spec, template) = (&set["spec"], &set["spec"]["template"]);
    let labels = &template["metadata"]["labels"];
    assert_eq!((&spec["selector"]["matchLabels"], &service["spec"]["selector"]), (labels, labels));
    assert_eq!(spec["serviceName"], service["metadata"]["name"]);

    let pod = &template["spec"];
    assert_eq!(pod["securityContext"]["runAsNonRoot"].as_bool(), Some(true));
    let container = &pod["containers"][0];
    let port = &container["ports"][0]["name"];
    assert_eq!(&service["spec"]["ports"][0]["targetPort"], port);
    for (probe, path) in [("livenessProbe", "/live"), ("readinessProbe", "/ready"), ("startupProbe", "/live")]
    {
        let get = &container[probe]["httpGet"];
        assert_eq!((get["path"].as_str(), &get["port"]), (Some(path), port), "{probe}");
    }
    let claims =
        spec["volumeClaimTemplates"].as_vec().expect("claims").iter().map(|it| &it["metadata"]["name"]);
    let volumes = pod["volumes"].as_vec().expect("volumes").iter().map(|it| &it["name"]);
    let given: BTreeSet<&str> = claims.chain(volumes).filter_map(Yaml::as_str).collect();
    let mounts = container["volumeMounts"].as_vec().expect("mounts");
    let mounted: BTreeSet<&str> = mounts.iter().filter_map(|it| it["name"].as_str()).collect();
    assert_eq!(given, mounted);
    // An update reaches no volume that is mounted in part.
    assert!(mounts.iter().all(|it| it["subPath"].is_badvalue()), "{mounts:?}");
    let of_configuration = &pod["volumes"][0]["configMap"]["name"];
    assert_eq!(of_configuration, &configuration["metadata"]["name"]);
    let path = mounts[0]["mountPath"].as_str().expect("a folder");
    let args = names(&container["args"]);
    assert!(args.contains(&format!("{path}/loghost.toml").as_str()), "{args:?}");
    options_exist(&args);
    assert!(configuration["data"]["loghost.toml"].as_str().is_some_and(|it| it.contains("\nwatch = true\n")));
}

/// Each with the plugins of this repository, and with secrets.
fn configurations() {
    let all = yaml("kubernetes/loghost.yaml");
    let of_kubernetes = all[0]["data"]["loghost.toml"].as_str().expect("a configuration").to_owned();
    let texts = [text("container/loghost.toml"), text("compose/configuration/loghost.toml"), of_kubernetes];
    let plugins = tracked("plugins/all.wasm").with_file_name("");
    for text in texts {
        let folder = tempfile::tempdir().expect("a folder");
        let secret = secret(folder.path());
        let text = text.replace("/usr/share/loghost/plugins/", &plugins.display().to_string());
        let text = ["broker-password", "listen-token"].into_iter().fold(text, |text, name| {
            text.replace(&format!("/etc/loghost/secrets/{name}"), &secret.display().to_string())
        });
        let path = folder.path().join("loghost.toml");
        fs::write(&path, text).expect("a file of ours");
        loghost(["config", "check", "--config"]).arg(&path).end().exits(0);
    }
}

fn secret(folder: &Path) -> PathBuf {
    use std::os::unix::fs::PermissionsExt;
    let path = folder.join("secret");
    fs::write(&path, "0123456789abcdef").expect("a file of ours");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o440)).expect("a file of ours");
    path
}

fn variables() {
    let help = loghost(["run", "--help"]).end().exits(0).stdout;
    let is_part = |c: char| c.is_ascii_uppercase() || c == '_';
    let mut seen = BTreeSet::new();
    for path in [
        "container/Containerfile",
        "compose/compose.yaml",
        "kubernetes/loghost.yaml",
        "systemd/loghost.service",
    ] {
        let text = text(path);
        for name in text.split(|c| !is_part(c)).filter_map(|word| word.strip_prefix("LOGHOST_")) {
            let option = format!("--{} ", name.to_ascii_lowercase().replace('_', "-"));
            assert!(name == "AMQP_URL" || help.contains(&option), "{path}: LOGHOST_{name}");
            seen.insert(name.to_owned());
        }
    }
    assert!(seen.contains("STATE"), "{seen:?}");
    let container = text("container/Containerfile");
    let command = container.lines().find(|line| line.starts_with("CMD [")).expect("a command");
    options_exist(&command.split('"').collect::<Vec<_>>());
}

#[track_caller]
fn options_exist(arguments: &[&str]) {
    let help = loghost(["run", "--help"]).end().exits(0).stdout;
    for option in arguments.iter().filter(|argument| argument.starts_with("--")) {
        assert!(help.contains(&format!("{option} ")), "{option}");
    }
}
