//! Writes the gallery with its assets into a folder: `cargo run -p bastide-console --example gallery -- target/gallery`.

use std::io;
use std::path::Path;

use bastide_console::{ASSET_PATH, Theme, assets, gallery, sign_in_example};

fn main() -> io::Result<()> {
    let folder = std::env::args().nth(1).unwrap_or_else(|| "target/gallery".to_owned());
    let folder = Path::new(&folder);
    std::fs::create_dir_all(folder)?;
    for asset in assets() {
        std::fs::write(folder.join(asset.file_name()), asset.bytes)?;
    }
    for theme in Theme::ALL {
        // Beside the assets, so that a browser finds them without a server.
        let write = |name: &str, page: String| {
            std::fs::write(
                folder.join(format!("{name}-{}.html", theme.as_str())),
                page.replace(ASSET_PATH, ""),
            )
        };
        write("gallery", gallery(theme))?;
        write("sign-in", sign_in_example(theme))?;
    }
    Ok(())
}
