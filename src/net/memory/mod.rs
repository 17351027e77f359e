//! Memory of methods between steps: queues, memory banks and prototypes. All are fields of a module and are saved with it in a
//! checkpoint.

mod bank;
mod feature_queue;
mod key_queue;
mod prototypes;

pub use bank::{MemoryBank, bank_indices};
pub use feature_queue::FeatureQueue;
pub use key_queue::KeyQueue;
pub use prototypes::Prototypes;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::loss::unit_rows;
    use crate::net::ema::{ema_update, momentum_copy};
    use crate::net::{Encoder, EncoderConfig, Init, tensors};
    use crate::rng::{Purpose, stream};
    use burn::module::Module;
    use burn::tensor::{Device, Tensor, TensorData};
    use std::collections::HashMap;

    /// A network with every kind of memory.
    #[derive(Module, Debug)]
    struct Remembering {
        online: Encoder,
        target: Encoder,
        queue: KeyQueue,
        bank: MemoryBank,
        prototypes: Prototypes,
        recent: FeatureQueue,
    }

    fn fresh(seed: u64) -> Remembering {
        let mut init = Init::new(stream(seed, Purpose::Weights, 0), &Device::flex().autodiff());
        let online = Encoder::init(&EncoderConfig::small(2), 1, &mut init).expect("an encoder");
        Remembering {
            target: momentum_copy(&online),
            online,
            queue: KeyQueue::init(8, 8, 4, &mut init).expect("4 divides 8"),
            bank: MemoryBank::init(6, 8, &mut init),
            prototypes: Prototypes::init(5, 8, &mut init),
            recent: FeatureQueue::init(8, 8, 4, &mut init).expect("8 hold 4"),
        }
    }

    /// Updates every memory as a step would; returns the momentum encoder's features.
    fn remember(mut model: Remembering, step: usize) -> (Remembering, TensorData) {
        let pixels = crate::rng::uniform(&mut stream(step as u64, Purpose::Views, 0), 4 * 64, 0.0, 1.0);
        let x = Tensor::<4>::from_data(TensorData::new(pixels, [4, 1, 8, 8]), &Device::flex().autodiff());
        model.target = ema_update(model.target, &model.online, 0.9);
        let keys = unit_rows(model.target.forward(x));
        model.bank = model.bank.update(&bank_indices(&[5, 0, 3, 1], &Device::flex()), keys.clone(), 0.5);
        model.queue = model.queue.push(keys.clone(), step);
        model.recent = model.recent.push(keys.clone());
        model.prototypes = model.prototypes.normalised();
        (model, keys.into_data())
    }

    fn state(model: &Remembering) -> HashMap<String, TensorData> {
        let named = tensors::gather(&model.valid());
        futures_lite::future::block_on(tensors::read(named)).expect("flex reads").into_iter().collect()
    }

    #[test]
    fn memories_go_through_a_checkpoint_bit_for_bit() {
        let (model, _) = remember(fresh(1), 0);
        let saved = state(&model);
        for name in [
            "queue.rows",
            "bank.rows",
            "prototypes.weight",
            "recent.rows",
            "target.body.stages.0.units.0.norm.running_var",
        ] {
            assert!(saved.contains_key(name), "{name} is not saved");
        }
        let restored = tensors::scatter(fresh(2), &mut saved.clone()).expect("the same module");
        assert_eq!(tensors::count(&restored), tensors::count(&model), "frozen tensors stay frozen");
        assert_eq!(state(&restored), saved);
        let (straight, features) = remember(model, 1);
        let (resumed, features_again) = remember(restored, 1);
        assert_eq!(features, features_again);
        assert_eq!(state(&straight), state(&resumed));
    }

    #[test]
    fn only_the_network_and_the_prototypes_are_trainable() {
        let model = fresh(1);
        assert_eq!(tensors::count(&model), tensors::count(&model.online) + 5 * 8);
    }
}
