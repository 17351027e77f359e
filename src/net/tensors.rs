//! Reading and writing the tensors of a module by name, without the blocking reads of Burn's own records, which a
//! browser's GPU does not allow.

use std::collections::HashMap;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param, ParamId};
use burn::tensor::{Tensor, TensorData, Transaction};

use crate::error::{Error, Result};

/// A tensor on its device, flattened, with its name and shape.
#[derive(Clone, Debug)]
pub struct Named {
    /// The path of fields to it, joined by dots, for example `encoder.stages.0.units.0.conv.weight`.
    pub name: String,
    /// Its shape.
    pub shape: Vec<usize>,
    /// Its values in row-major order.
    pub values: Tensor<1>,
}

/// The tensors of a module in the order of its fields, running statistics included. Hand in `model.valid()` of a model
/// in training: only then do the statistics hold the last batch.
pub fn gather<M: Module>(module: &M) -> Vec<Named> {
    let mut gathered = Gather::default();
    module.visit(&mut gathered);
    gathered.found
}

/// The names of the same tensors by their ids.
pub fn ids<M: Module>(module: &M) -> HashMap<ParamId, String> {
    let mut found = Ids::default();
    module.visit(&mut found);
    found.names
}

/// Copies tensors to the host in one round trip.
///
/// # Errors
/// [`Error::DeviceLost`] when the device does not answer.
pub async fn read(tensors: Vec<Named>) -> Result<Vec<(String, TensorData)>> {
    let (mut transaction, mut labels) = (Transaction::default(), Vec::with_capacity(tensors.len()));
    for Named { name, shape, values } in tensors {
        transaction = transaction.register(values);
        labels.push((name, shape));
    }
    let data = transaction.execute_async().await.map_err(|error| Error::DeviceLost(error.to_string()))?;
    let shaped = labels.into_iter().zip(data).map(|((name, shape), data)| {
        let (bytes, _, dtype) = data.into_parts();
        (name, TensorData::from_bytes(bytes, shape, dtype))
    });
    Ok(shaped.collect())
}

/// Replaces the tensors of a module by those of the same names, taking them out of `values`.
///
/// # Errors
/// When a name is missing or a shape differs.
pub fn scatter<M: Module>(module: M, values: &mut HashMap<String, TensorData>) -> Result<M> {
    let mut scatter = Scatter { path: Path::default(), values, wrong: None };
    let module = module.map(&mut scatter);
    match scatter.wrong {
        Some(what) => Err(Error::Checkpoint(what)),
        None => Ok(module),
    }
}

/// Gives every tensor of a module whose id has a name the value of that name. Slow copies of a network share its ids, and
/// so get its values.
///
/// # Errors
/// When a value is missing or a shape differs.
pub fn adopt<M: Module>(
    module: M,
    names: &HashMap<ParamId, String>,
    values: &HashMap<String, TensorData>,
) -> Result<M> {
    let mut adopt = Adopt { names, values, wrong: None };
    let module = module.map(&mut adopt);
    match adopt.wrong {
        Some(what) => Err(Error::Weights(what)),
        None => Ok(module),
    }
}

/// The path of names to where a visitor of a module is. Variants of an enum leave no trace in it: a name says which
/// tensor, not which kind of module holds it.
#[derive(Debug, Default)]
pub struct Path(Vec<String>);

impl Path {
    /// Goes into a field, an element or a variant.
    pub fn enter(&mut self, name: &str, container: &str) {
        if !is_variant(container) {
            self.0.push(name.to_string());
        }
    }

    /// Comes back from it.
    pub fn exit(&mut self, container: &str) {
        if !is_variant(container) {
            self.0.pop();
        }
    }

    /// The names, joined by dots.
    pub fn name(&self) -> String {
        self.0.join(".")
    }
}

fn is_variant(container: &str) -> bool {
    container.starts_with("Enum:")
}

/// Trainable numbers of a module.
pub fn count<M: Module>(module: &M) -> usize {
    let mut trainable = Count(0);
    module.visit(&mut trainable);
    trainable.0
}

#[derive(Default)]
struct Gather {
    path: Path,
    found: Vec<Named>,
}

impl ModuleVisitor for Gather {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.enter(name, container);
    }

    fn exit_module(&mut self, _name: &str, container: &str) {
        self.path.exit(container);
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let tensor = param.val().inner();
        let (shape, count) = (tensor.dims().to_vec(), tensor.shape().num_elements());
        self.found.push(Named { name: self.path.name(), shape, values: tensor.reshape([count]) });
    }
}

#[derive(Default)]
struct Ids {
    path: Path,
    names: HashMap<ParamId, String>,
}

impl ModuleVisitor for Ids {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.enter(name, container);
    }

    fn exit_module(&mut self, _name: &str, container: &str) {
        self.path.exit(container);
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.names.insert(param.id, self.path.name());
    }
}

struct Scatter<'a> {
    path: Path,
    values: &'a mut HashMap<String, TensorData>,
    wrong: Option<String>,
}

impl ModuleMapper for Scatter<'_> {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.enter(name, container);
    }

    fn exit_module(&mut self, _name: &str, container: &str) {
        self.path.exit(container);
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let name = self.path.name();
        let expected = param.val().dims().to_vec();
        let Some(data) = self.values.remove(&name) else {
            self.wrong.get_or_insert_with(|| format!("the checkpoint has no tensor `{name}`"));
            return param;
        };
        let found: Vec<usize> = data.shape().iter().copied().collect();
        if found != expected {
            self.wrong
                .get_or_insert_with(|| format!("the checkpoint's `{name}` is {found:?}, the model's {expected:?}"));
            return param;
        }
        param.map(|old| {
            let new = Tensor::from_data(data, &old.device());
            if old.is_require_grad() { new.require_grad() } else { new }
        })
    }
}

struct Adopt<'a> {
    names: &'a HashMap<ParamId, String>,
    values: &'a HashMap<String, TensorData>,
    wrong: Option<String>,
}

impl ModuleMapper for Adopt<'_> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let Some(name) = self.names.get(&param.id) else { return param };
        let expected = param.val().dims().to_vec();
        match self.values.get(name).filter(|data| data.shape().iter().copied().eq(expected.iter().copied())) {
            Some(data) => param.map(|old| {
                let new = Tensor::from_data(data.clone(), &old.device());
                if old.is_require_grad() { new.require_grad() } else { new }
            }),
            None => {
                self.wrong.get_or_insert_with(|| format!("there is no `{name}` of shape {expected:?} in it"));
                param
            }
        }
    }
}

struct Count(usize);

impl ModuleVisitor for Count {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if param.is_require_grad() {
            self.0 += param.val().shape().num_elements();
        }
    }
}
