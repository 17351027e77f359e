//! `nolabel devices` and `--device`, on whatever adapters this machine has.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::{Lab, Said};

/// Lavapipe, Mesa's Vulkan on the CPU, where it is installed.
fn lavapipe() -> Option<PathBuf> {
    let drivers = fs::read_dir("/usr/share/vulkan/icd.d").ok()?;
    let mut paths = drivers.filter_map(|entry| Some(entry.ok()?.path()));
    paths.find(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("lvp_icd")))
}

fn run(mut command: Command) -> Said {
    Said::from(command.output().expect("the binary runs"))
}

#[test]
fn a_machine_without_a_session_prints_no_library_messages() {
    let lab = Lab::new();
    let mut command = lab.command("devices");
    command.env_remove("XDG_RUNTIME_DIR").env_remove("WAYLAND_DISPLAY").env_remove("DISPLAY");
    let said = run(command);
    assert_eq!((said.code, said.err.as_str()), (Some(0), ""));
}

/// With lavapipe as the only Vulkan driver and without OpenGL. Newer versions have the extension, and are used.
#[test]
fn an_adapter_that_would_end_the_program_is_refused_in_words() {
    let Some(driver) = lavapipe() else {
        return println!("lavapipe is not installed: nothing to refuse");
    };
    let lab = Lab::new();
    let with_driver = |arguments: &str| {
        let mut command = lab.command(arguments);
        command.env("VK_DRIVER_FILES", &driver).env("VK_ICD_FILENAMES", &driver);
        command.env("__EGL_VENDOR_LIBRARY_FILENAMES", "/dev/null");
        run(command)
    };
    let devices = with_driver("devices");
    assert_eq!(devices.code, Some(0), "{}{}", devices.out, devices.err);
    if devices.out.contains("(Vulkan)") && devices.out.contains("gpu:0") {
        return println!("this lavapipe has the extension: it is listed");
    }
    assert!(devices.out.contains("VK_KHR_workgroup_memory_explicit_layout"), "{}", devices.out);
    let training =
        with_driver("train rotation --data fashion-mnist:images --batch 8 --steps 1 --device gpu:0 --out run");
    assert_eq!(training.code, Some(1), "{}{}", training.out, training.err);
    assert!(training.err.starts_with("error: `gpu:0` cannot be used: "), "{}", training.err);
    assert!(training.err.contains("lacks the Vulkan extension") && training.err.contains("--device cpu"));
    assert!(!lab.path("run").exists(), "nothing is written");
}

/// Llvmpipe, Mesa's OpenGL on the CPU, gives no buffer of more than 128 MB, as the weakest adapters of WebGPU.
#[test]
fn a_batch_beyond_the_buffers_of_the_adapter_is_refused_in_words() {
    let lab = Lab::new();
    let devices = run(lab.command("devices"));
    if !devices.out.lines().any(|line| line.starts_with("gpu:0") && line.contains("llvmpipe")) {
        return println!("the first GPU is not llvmpipe: its buffers may be large enough");
    }
    let training =
        run(lab.command("train rotation --data moving-shapes --batch 2048 --steps 1 --device gpu --out run"));
    assert_eq!(training.code, Some(1), "{}{}", training.out, training.err);
    let said = training.err.lines().last().unwrap_or_default();
    assert!(said.contains("the GPU gives no buffer of 151 MB") && said.contains("micro_batches"), "{}", training.err);
}
