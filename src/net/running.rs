//! Running statistics of a layer.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use burn::module::{Content, Module, ModuleDisplay, ModuleDisplayDefault, ModuleMapper, ModuleVisitor, Param, ParamId};
use burn::tensor::{Device, Tensor};

/// Vector that a layer changes in its forward pass and that is no parameter: saved, copied and moved with the module, never trained.
///
/// Burn's `RunningState` averages over threads; on one thread that divides each statistic by one, a launch a layer on a GPU.
#[derive(Clone, Debug)]
pub struct Running {
    id: ParamId,
    value: Arc<Mutex<Tensor<1>>>,
}

impl Running {
    /// Statistics with these first values.
    pub fn new(value: Tensor<1>) -> Self {
        Self::with_id(ParamId::new(), value)
    }

    fn with_id(id: ParamId, value: Tensor<1>) -> Self {
        Self { id, value: Arc::new(Mutex::new(value)) }
    }

    /// The values now.
    pub fn value(&self) -> Tensor<1> {
        self.value.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Replaces the values, which clones of the layer share.
    pub fn set(&self, value: Tensor<1>) {
        *self.value.lock().unwrap_or_else(PoisonError::into_inner) = value;
    }
}

impl fmt::Display for Running {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "Running({})", self.value().dims()[0])
    }
}

impl ModuleDisplayDefault for Running {
    fn content(&self, content: Content) -> Option<Content> {
        content.add_formatted(&self.to_string()).optional()
    }
}

impl ModuleDisplay for Running {}

impl Module for Running {
    fn visit<V: ModuleVisitor>(&self, visitor: &mut V) {
        visitor.visit_float(&Param::initialized(self.id, self.value()));
    }

    fn map<M: ModuleMapper>(self, mapper: &mut M) -> Self {
        let (_, value, _) = mapper.map_float(Param::initialized(self.id, self.value())).consume();
        // an optimiser's mapper must not make it a parameter
        self.set(value.set_require_grad(false));
        self
    }

    fn to_device(self, device: &Device) -> Self {
        self.set(self.value().to_device(device));
        self
    }

    fn fork(self, device: &Device) -> Self {
        self.to_device(device)
    }

    fn collect_devices(&self, mut devices: Vec<Device>) -> Vec<Device> {
        let device = self.value().device();
        if !devices.contains(&device) {
            devices.push(device);
        }
        devices
    }

    fn materialize(self) -> Self {
        self
    }

    fn valid(&self) -> Self {
        Self::with_id(self.id, self.value().without_autodiff())
    }

    fn train(self) -> Self {
        Self::with_id(self.id, Tensor::from_inner(self.value()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_without_autodiff_has_the_values_of_then() {
        let device = Device::flex().autodiff();
        let running = Running::new(Tensor::from_floats([1.0, 2.0], &device));
        let valid = running.valid();
        running.set(Tensor::from_floats([3.0, 4.0], &device));
        let values = |running: &Running| -> Vec<f32> { running.value().into_data().try_to_vec().expect("floats") };
        assert_eq!((values(&running), values(&valid)), (vec![3.0, 4.0], vec![1.0, 2.0]));
        assert!(!valid.value().device().is_autodiff());
        assert!(valid.train().value().device().is_autodiff());
    }
}
