//! Walks over the parameters of a module by name.

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::Tensor;

/// Visitor of parameters that gets their names: paths of fields joined by dots, `encoder.stages.0.units.0.conv.weight`.
pub trait NamedVisitor {
    /// Visits one parameter.
    fn visit<const D: usize>(&mut self, name: String, param: &Param<Tensor<D>>);
}

/// Mapper of parameters that gets their names, as [`NamedVisitor`] does.
pub trait NamedMapper {
    /// The parameter in place of `param`.
    fn map<const D: usize>(&mut self, name: String, param: Param<Tensor<D>>) -> Param<Tensor<D>>;
}

/// Visits all parameters of a module in the order of its fields.
pub fn visit<M: Module>(module: &M, visitor: &mut impl NamedVisitor) {
    module.visit(&mut Walk { inner: visitor, path: Path::default() });
}

/// Replaces all parameters of a module in the order of its fields.
pub fn map<M: Module>(module: M, mapper: &mut impl NamedMapper) -> M {
    module.map(&mut Walk { inner: mapper, path: Path::default() })
}

/// A visitor or mapper, and the position in the module.
struct Walk<'a, T> {
    inner: &'a mut T,
    path: Path,
}

impl<T: NamedVisitor> ModuleVisitor for Walk<'_, T> {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.enter(name, container);
    }

    fn exit_module(&mut self, _name: &str, container: &str) {
        self.path.exit(container);
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.inner.visit(self.path.name(), param);
    }
}

impl<T: NamedMapper> ModuleMapper for Walk<'_, T> {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.enter(name, container);
    }

    fn exit_module(&mut self, _name: &str, container: &str) {
        self.path.exit(container);
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        self.inner.map(self.path.name(), param)
    }
}

/// Path of field names to the current position of a module visitor. Enum variants are left out, so that a tensor's name does not
/// depend on the variant that holds it.
#[derive(Default)]
struct Path(Vec<String>);

impl Path {
    /// Enters a field, a list element or an enum variant.
    fn enter(&mut self, name: &str, container: &str) {
        if !is_variant(container) {
            self.0.push(name.to_string());
        }
    }

    /// Leaves it again.
    fn exit(&mut self, container: &str) {
        if !is_variant(container) {
            self.0.pop();
        }
    }

    /// Field names joined by dots.
    fn name(&self) -> String {
        self.0.join(".")
    }
}

fn is_variant(container: &str) -> bool {
    container.starts_with("Enum:")
}
