//! The GPU's kernels beside the CPU's, on whatever GPU is there. Without one, Mesa's llvmpipe plays one through OpenGL, where the
//! kernels are compiled to WGSL as in a browser.

mod device;
mod kernels;
mod layers;
mod losses;
mod optimisers;
mod views;
