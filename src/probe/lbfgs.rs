//! Minimising a smooth convex function by L-BFGS (Nocedal and Wright 2006, algorithms 7.4 and 7.5), with a
//! preconditioner in place of the usual multiple of the identity.

use std::collections::VecDeque;

use crate::algebra::dot;
use crate::error::Result;

const MAX_ITERATIONS: usize = 500;
/// Pairs of steps and gradient changes that are remembered.
const MEMORY: usize = 10;
/// Share of the decrease promised by the slope that a step must bring.
const SUFFICIENT: f64 = 1e-4;
/// Single precision allows no further descent along steps shorter than this.
const SHORTEST: f64 = 1e-10;

/// A minimum.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Minimum {
    pub(super) at: Vec<f64>,
    /// True if no partial derivative exceeds the tolerance.
    pub(super) converged: bool,
    /// Evaluations of value and gradient.
    pub(super) evaluations: usize,
}

/// Minimises from `at` until no partial derivative exceeds `tolerance`. `evaluate` gives value and gradient;
/// `precondition` multiplies a gradient by an approximate inverse of the curvature.
///
/// # Errors
/// Those of `evaluate`.
pub(super) async fn minimise(
    mut at: Vec<f64>,
    tolerance: f64,
    evaluate: impl AsyncFn(&[f64]) -> Result<(f64, Vec<f64>)>,
    precondition: impl Fn(&mut [f64]),
) -> Result<Minimum> {
    let mut memory = Memory::default();
    let (mut value, mut gradient) = evaluate(&at).await?;
    let mut evaluations = 1;
    for _ in 0..MAX_ITERATIONS {
        if gradient.iter().all(|slope| slope.abs() < tolerance) {
            return Ok(Minimum { at, converged: true, evaluations });
        }
        let direction = memory.direction(&gradient, &precondition);
        let slope = dot(&direction, &gradient);
        let mut length = 1.0;
        let (next, next_value, next_gradient) = loop {
            let next: Vec<f64> = at.iter().zip(&direction).map(|(x, d)| x + length * d).collect();
            let (next_value, next_gradient) = evaluate(&next).await?;
            evaluations += 1;
            if next_value <= value + SUFFICIENT * length * slope {
                break (next, next_value, next_gradient);
            }
            length *= 0.5;
            if length < SHORTEST {
                return Ok(Minimum { at, converged: false, evaluations });
            }
        };
        memory.remember(difference(&next, &at), difference(&next_gradient, &gradient), &precondition);
        (at, value, gradient) = (next, next_value, next_gradient);
    }
    Ok(Minimum { at, converged: false, evaluations })
}

/// Pairs of steps and changes of the gradient: the curvature beyond the preconditioner.
#[derive(Default)]
struct Memory {
    pairs: VecDeque<(Vec<f64>, Vec<f64>)>,
    /// The preconditioner's size, corrected by the last pair.
    scale: Option<f64>,
}

impl Memory {
    fn remember(&mut self, step: Vec<f64>, change: Vec<f64>, precondition: &impl Fn(&mut [f64])) {
        let along = dot(&step, &change);
        if along <= 1e-12 {
            return;
        }
        let mut expected = change.clone();
        precondition(&mut expected);
        self.scale = Some(along / dot(&change, &expected));
        self.pairs.push_back((step, change));
        if self.pairs.len() > MEMORY {
            self.pairs.pop_front();
        }
    }

    /// Minus the inverse curvature times the gradient, by the two-loop recursion.
    fn direction(&self, gradient: &[f64], precondition: &impl Fn(&mut [f64])) -> Vec<f64> {
        let mut q: Vec<f64> = gradient.iter().map(|slope| -slope).collect();
        let mut alphas = Vec::with_capacity(self.pairs.len());
        for (s, y) in self.pairs.iter().rev() {
            let alpha = dot(s, &q) / dot(s, y);
            add(&mut q, -alpha, y);
            alphas.push(alpha);
        }
        precondition(&mut q);
        let scale = self.scale.unwrap_or(1.0);
        q.iter_mut().for_each(|value| *value *= scale);
        for ((s, y), alpha) in self.pairs.iter().zip(alphas.into_iter().rev()) {
            let beta = dot(y, &q) / dot(s, y);
            add(&mut q, alpha - beta, s);
        }
        q
    }
}

fn add(to: &mut [f64], factor: f64, what: &[f64]) {
    to.iter_mut().zip(what).for_each(|(to, what)| *to += factor * what);
}

fn difference(a: &[f64], b: &[f64]) -> Vec<f64> {
    a.iter().zip(b).map(|(a, b)| a - b).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_lite::future::block_on;

    /// `sum_i c_i (x_i - i)^2 / 2` with curvatures from 1 to 10^6.
    fn bowl(x: &[f64]) -> Result<(f64, Vec<f64>)> {
        let curvature = |i: usize| 10f64.powi(i as i32);
        let gradient: Vec<f64> = x.iter().enumerate().map(|(i, x)| curvature(i) * (x - i as f64)).collect();
        let value = x.iter().enumerate().map(|(i, x)| curvature(i) * (x - i as f64).powi(2) / 2.0).sum();
        Ok((value, gradient))
    }

    #[test]
    fn finds_the_bottom_of_a_steep_valley() {
        for precondition in
            [|_: &mut [f64]| {}, |q: &mut [f64]| q.iter_mut().enumerate().for_each(|(i, q)| *q /= 10f64.powi(i as i32))]
        {
            let found =
                block_on(minimise(vec![5.0; 7], 1e-6, async |x: &[f64]| bowl(x), precondition)).expect("a minimum");
            assert!(found.converged);
            for (i, x) in found.at.iter().enumerate() {
                assert!((x - i as f64).abs() < 1e-5, "{i}: {x}");
            }
        }
    }

    #[test]
    fn says_when_it_did_not_arrive() {
        // a slope that never ends
        let found =
            block_on(minimise(vec![0.0], 1e-6, async |x: &[f64]| Ok((-x[0], vec![-1.0])), |_| {})).expect("an end");
        assert!(!found.converged);
    }
}
