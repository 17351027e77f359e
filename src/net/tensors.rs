//! Reading and writing the tensors of a module by name. Burn's own records read tensors synchronously, which a browser's GPU
//! does not allow.

use std::collections::HashMap;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param, ParamId};
use burn::tensor::{Int, Tensor, TensorData, Transaction};

use super::named::{self, NamedMapper, NamedVisitor};
use crate::error::{Error, Result};

/// Tensor on its device, flattened, with its name and shape.
#[derive(Clone, Debug)]
pub struct NamedTensor {
    /// Path of fields to the tensor, joined by dots, for example `encoder.stages.0.units.0.conv.weight`.
    pub name: String,
    /// Shape before flattening.
    pub shape: Vec<usize>,
    /// Values in row-major order.
    pub values: Tensor<1>,
}

/// Whole numbers `[n]` on the device of `like`.
pub fn int_tensor(values: Vec<i32>, like: &Tensor<4>) -> Tensor<1, Int> {
    let count = values.len();
    Tensor::from_data(TensorData::new(values, [count]), &like.device())
}

/// Tensors of a module in the order of its fields, running statistics included. Pass `model.valid()` of a model in training:
/// only then do the running statistics include the last batch.
pub fn gather<M: Module>(module: &M) -> Vec<NamedTensor> {
    let mut gathered = Gather::default();
    named::visit(module, &mut gathered);
    gathered.found
}

/// Names of the same tensors by their parameter ids.
pub fn ids<M: Module>(module: &M) -> HashMap<ParamId, String> {
    let mut found = Ids::default();
    named::visit(module, &mut found);
    found.names
}

/// Copies tensors to the host, all in one readback.
///
/// # Errors
/// [`Error::DeviceLost`] if the device does not answer.
pub async fn read(tensors: Vec<NamedTensor>) -> Result<Vec<(String, TensorData)>> {
    let mut transaction = Transaction::default();
    let mut labels = Vec::with_capacity(tensors.len());
    for NamedTensor { name, shape, values } in tensors {
        transaction = transaction.register(values);
        labels.push((name, shape));
    }
    let data = transaction.execute_async().await.map_err(Error::read)?;
    let shaped = labels.into_iter().zip(data).map(|((name, shape), data)| {
        let (bytes, _, dtype) = data.into_parts();
        (name, TensorData::from_bytes(bytes, shape, dtype))
    });
    Ok(shaped.collect())
}

/// Loads the tensors of a module by name, removing them from `values`.
///
/// # Errors
/// [`Error::Checkpoint`] if a name is missing or a shape differs.
pub fn scatter<M: Module>(module: M, values: &mut HashMap<String, TensorData>) -> Result<M> {
    let mut scatter = Scatter { values, wrong: None };
    let module = named::map(module, &mut scatter);
    match scatter.wrong {
        Some(what) => Err(Error::Checkpoint(what)),
        None => Ok(module),
    }
}

/// Loads the tensors of a module by parameter id: each tensor whose id is in `names` gets the value of that name. A momentum
/// encoder shares the ids of its network, and so gets the same values.
///
/// # Errors
/// [`Error::Weights`] if a value is missing or a shape differs.
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

/// Number of trainable values of a module.
pub fn count<M: Module>(module: &M) -> usize {
    let mut trainable = Count(0);
    module.visit(&mut trainable);
    trainable.0
}

#[derive(Default)]
struct Gather {
    found: Vec<NamedTensor>,
}

impl NamedVisitor for Gather {
    fn visit<const D: usize>(&mut self, name: String, param: &Param<Tensor<D>>) {
        let tensor = param.val().inner();
        let shape = tensor.dims().to_vec();
        let count = tensor.shape().num_elements();
        self.found.push(NamedTensor { name, shape, values: tensor.reshape([count]) });
    }
}

#[derive(Default)]
struct Ids {
    names: HashMap<ParamId, String>,
}

impl NamedVisitor for Ids {
    fn visit<const D: usize>(&mut self, name: String, param: &Param<Tensor<D>>) {
        self.names.insert(param.id, name);
    }
}

struct Scatter<'a> {
    values: &'a mut HashMap<String, TensorData>,
    wrong: Option<String>,
}

impl NamedMapper for Scatter<'_> {
    fn map<const D: usize>(&mut self, name: String, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
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
