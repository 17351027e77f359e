//! Minimising a smooth convex loss with an L2 penalty by Newton's method (Nocedal and Wright 2006, algorithm 7.1).
//!
//! The equations of a step are solved by preconditioned conjugate gradients, as exactly as the step is worth. Under a weak
//! penalty most predictions become certain, and the loss flattens by orders of magnitude on the way: a method that learns the
//! curvature from its gradients lags behind, one that asks for the curvature does not.

use crate::algebra::dot;
use crate::error::Result;

const MAX_STEPS: usize = 100;
/// Directions of conjugate gradients in one step.
const MAX_DIRECTIONS: usize = 250;
/// Share of the gradient, in the norm of the preconditioner, that may remain of a step's equations.
const FORCING: f64 = 0.3;
/// Share of the decrease promised by the slope that a step must bring.
const SUFFICIENT: f64 = 1e-4;
/// Shortest share of a step that is tried.
const SHORTEST: f64 = 1e-6;
/// Differences of values, relative to the values, that may be the rounding of single precision.
const ROUNDING: f64 = 1e-6;
/// Share of the gradient's length that a step must leave at most where rounding hides the decrease of the value.
const SHRINKAGE: f64 = 0.9;

/// A convex loss of weights and biases.
pub(super) trait Loss {
    /// Predictions at a point, which the curvature there depends on.
    type Predictions;

    /// Number of weights. They come first and are penalised; biases follow and are not.
    fn weights(&self) -> usize;

    /// The loss at `theta`, without the penalty.
    async fn evaluate(&self, theta: &[f64]) -> Result<Point<Self::Predictions>>;

    /// The second derivative of the loss at these predictions times a direction.
    async fn curve(&self, predictions: &Self::Predictions, direction: &[f64]) -> Result<Vec<f64>>;
}

/// A loss at one point.
pub(super) struct Point<P> {
    pub(super) value: f64,
    pub(super) gradient: Vec<f64>,
    /// Mean variance of the predictions, which the curvature grows with.
    pub(super) variance: f64,
    pub(super) predictions: P,
}

/// A minimum.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Minimum {
    pub(super) at: Vec<f64>,
    /// True if the tolerance was met.
    pub(super) converged: bool,
    /// Passes over the rows: evaluations of the loss, and products with its curvature.
    pub(super) passes: usize,
}

/// Minimises `loss + l2 / 2 |W|^2` from `theta`, until the gradient is at most `tolerance` times as long as `l2 W`, the
/// penalty's part of it. As the curvature is at least l2, the weights are then off by at most that share of their length, however
/// weak the penalty. `precondition` multiplies a gradient by an approximate inverse of the curvature at a mean variance.
///
/// # Errors
/// Those of the loss.
pub(super) async fn minimise<L: Loss>(
    loss: &L,
    l2: f64,
    mut theta: Vec<f64>,
    tolerance: f64,
    mut precondition: impl FnMut(f64, &mut [f64]),
) -> Result<Minimum> {
    let problem = Penalised { loss, l2 };
    let mut here = problem.evaluate(&theta).await?;
    let mut passes = 1;
    for _ in 0..MAX_STEPS {
        let length = norm(&here.gradient);
        if length <= tolerance * l2 * norm(&theta[..loss.weights()]) {
            return Ok(Minimum { at: theta, converged: true, passes });
        }
        let variance = here.variance;
        let step = problem.step(&here, |slopes| precondition(variance, slopes), &mut passes).await?;
        let slope = dot(&step, &here.gradient);
        // not even double precision knows the value more exactly
        if -slope <= f64::EPSILON * here.value.abs() {
            return Ok(Minimum { at: theta, converged: true, passes });
        }
        let mut share = 1.0;
        (theta, here) = loop {
            let mut next = theta.clone();
            add(&mut next, share, &step);
            let there = problem.evaluate(&next).await?;
            passes += 1;
            let rounded = (there.value - here.value).abs() <= ROUNDING * here.value.abs();
            if there.value <= here.value + SUFFICIENT * share * slope
                || rounded && norm(&there.gradient) <= SHRINKAGE * length
            {
                break (next, there);
            }
            share *= 0.5;
            if share < SHORTEST {
                return Ok(Minimum { at: theta, converged: false, passes });
            }
        };
    }
    Ok(Minimum { at: theta, converged: false, passes })
}

/// A loss with its penalty.
struct Penalised<'a, L> {
    loss: &'a L,
    l2: f64,
}

impl<L: Loss> Penalised<'_, L> {
    async fn evaluate(&self, theta: &[f64]) -> Result<Point<L::Predictions>> {
        let mut point = self.loss.evaluate(theta).await?;
        let weights = &theta[..self.loss.weights()];
        add(&mut point.gradient, self.l2, weights);
        point.value += 0.5 * self.l2 * dot(weights, weights);
        Ok(point)
    }

    /// Minus the inverse curvature times the gradient, to within [`FORCING`], by conjugate gradients.
    async fn step(
        &self,
        here: &Point<L::Predictions>,
        mut precondition: impl FnMut(&mut [f64]),
        passes: &mut usize,
    ) -> Result<Vec<f64>> {
        let mut step = vec![0.0; here.gradient.len()];
        let mut residual: Vec<f64> = here.gradient.iter().map(|slope| -slope).collect();
        let mut direction = residual.clone();
        precondition(&mut direction);
        let mut size = dot(&residual, &direction);
        let enough = FORCING * FORCING * size;
        for _ in 0..MAX_DIRECTIONS {
            let mut bent = self.loss.curve(&here.predictions, &direction).await?;
            *passes += 1;
            add(&mut bent, self.l2, &direction[..self.loss.weights()]);
            let along = dot(&direction, &bent);
            // rounding, where a direction has no curvature
            if along.is_nan() || along <= 0.0 {
                break;
            }
            add(&mut step, size / along, &direction);
            add(&mut residual, -size / along, &bent);
            let mut next = residual.clone();
            precondition(&mut next);
            let left = dot(&residual, &next);
            if left <= enough {
                break;
            }
            add(&mut next, left / size, &direction);
            direction = next;
            size = left;
        }
        Ok(step)
    }
}

/// Adds to the first values of `to`.
fn add(to: &mut [f64], factor: f64, what: &[f64]) {
    to.iter_mut().zip(what).for_each(|(to, what)| *to += factor * what);
}

fn norm(values: &[f64]) -> f64 {
    dot(values, values).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_lite::future::block_on;

    const WEIGHTS: usize = 6;

    /// `sum_i c_i log cosh(x_i - i)` with curvatures `c_i` from 1 to 10^6 at the bottom, which vanish far from it. The last
    /// value is a bias.
    struct Valley;

    fn curvature(i: usize) -> f64 {
        10f64.powi(i as i32)
    }

    impl Loss for Valley {
        type Predictions = Vec<f64>;

        fn weights(&self) -> usize {
            WEIGHTS
        }

        async fn evaluate(&self, x: &[f64]) -> Result<Point<Vec<f64>>> {
            let off: Vec<f64> = x.iter().enumerate().map(|(i, x)| x - i as f64).collect();
            let value = off.iter().enumerate().map(|(i, off)| curvature(i) * off.cosh().ln()).sum();
            let gradient = off.iter().enumerate().map(|(i, off)| curvature(i) * off.tanh()).collect();
            Ok(Point { value, gradient, variance: 1.0, predictions: off })
        }

        async fn curve(&self, off: &Vec<f64>, direction: &[f64]) -> Result<Vec<f64>> {
            let bent = off.iter().zip(direction).enumerate();
            Ok(bent.map(|(i, (off, along))| curvature(i) * along / off.cosh().powi(2)).collect())
        }
    }

    #[test]
    fn the_bottom_of_a_steep_valley_is_found() {
        let l2 = 0.5;
        for precondition in
            [|_: &mut [f64]| {}, |q: &mut [f64]| q.iter_mut().enumerate().for_each(|(i, q)| *q /= curvature(i))]
        {
            let start = vec![5.0; WEIGHTS + 1];
            let found =
                block_on(minimise(&Valley, l2, start, 1e-9, |_, slopes| precondition(slopes))).expect("a minimum");
            assert!(found.converged);
            for (i, x) in found.at.iter().enumerate() {
                let penalty = if i < WEIGHTS { l2 * x } else { 0.0 };
                let slope = curvature(i) * (x - i as f64).tanh() + penalty;
                assert!(slope.abs() < 1e-7 * curvature(i), "{i}: {x} has the slope {slope}");
            }
        }
    }

    /// `-x`, which has no minimum, evaluated as NaN beyond 3 if it is `broken`.
    struct Slope {
        broken: bool,
    }

    impl Loss for Slope {
        type Predictions = ();

        fn weights(&self) -> usize {
            0
        }

        async fn evaluate(&self, x: &[f64]) -> Result<Point<()>> {
            let value = if self.broken && x[0] > 3.0 { f64::NAN } else { -x[0] };
            Ok(Point { value, gradient: vec![-1.0], variance: 1.0, predictions: () })
        }

        async fn curve(&self, (): &(), direction: &[f64]) -> Result<Vec<f64>> {
            Ok(vec![1e-3 * direction[0]])
        }
    }

    #[test]
    fn a_minimum_that_was_not_reached_is_reported() {
        for broken in [false, true] {
            let found = block_on(minimise(&Slope { broken }, 0.1, vec![0.0], 1e-6, |_, _| {})).expect("an end");
            assert!(!found.converged);
            assert!(found.at[0].is_finite() && found.passes > 2);
        }
    }
}
