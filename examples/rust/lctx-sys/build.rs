//! Links liblctx: of LCTX_LIB_DIR, else of the tree's build/, else where the linker looks.
use std::{env, path::Path};

fn main() {
    println!("cargo:rerun-if-env-changed=LCTX_LIB_DIR");
    let built = Path::new(&env::var("CARGO_MANIFEST_DIR").unwrap()).join("../../../build");
    let dir = env::var("LCTX_LIB_DIR").unwrap_or_else(|_| built.display().to_string());
    if Path::new(&dir).join("liblctx.so").exists() {
        println!("cargo:rustc-link-search=native={}", dir);
    } else if env::var("LCTX_LIB_DIR").is_ok() {
        panic!("LCTX_LIB_DIR={}: liblctx.so is not there (make lib builds it)", dir);
    }
    println!("cargo:rustc-link-lib=dylib=lctx");
}
