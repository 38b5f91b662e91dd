//! What the metadata of a safetensors file says of the model. Trainers of adapters write `ss_*` keys (kohya), and
//! `modelspec.*` follows the Stability AI model metadata standard.

use crate::scan::Scan;

/// Notes the metadata that has a place in a bill of materials.
pub(super) fn note(key: &str, value: &str, scan: &mut Scan<'_>) {
    let property = match key {
        "format" => "producer",
        "license" | "licence" | "modelspec.license" => "licence",
        "base_model" | "base_model_name_or_path" | "ss_sd_model_name" | "modelspec.base_model" => {
            "base_model"
        }
        "ss_base_model_version" | "modelspec.architecture" | "architecture" => "architecture",
        "ss_network_module" | "adapter" | "peft_type" => "adapter",
        "name" | "modelspec.title" | "ss_output_name" => "name",
        "author" | "modelspec.author" => "author",
        "description" | "modelspec.description" => "description",
        "version" | "modelspec.sai_model_spec" => "version",
        "quantization_format" | "quantization" => "quantisation",
        _ => return,
    };
    if !value.is_empty() {
        scan.facts.property(property, value);
    }
}
