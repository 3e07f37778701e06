package interleave

import (
	"errors"
	"slices"

	"github.com/omnibucket/storage"
)

// An Effect is the change that one actor should make to the state S, such as the content of an object. The scene
// compares the state at the end with the changes of all actors.
type Effect[S any] struct {
	Actor *Actor
	// Apply returns the state after the operation. If the operation should fail in this state, done is false.
	Apply func(before S) (after S, done bool)
}

// SomeOrder reports whether the operations of the actors, one after the other in some order, could
// have led from the state start to the state end. An operation that ended before another one began
// comes before it in that order.
//
// An operation that returned nil took effect, and one whose process died or whose outcome is
// unknown may have. Any other had no effect. SomeOrder does not ask whether an operation had a
// reason to fail, which the scene should check with Err.
func SomeOrder[S comparable](start, end S, effects ...Effect[S]) bool {
	if len(effects) == 0 {
		return start == end
	}

	// Each operation is tried as the first one, unless another one ended before it began.
	for i, effect := range effects {
		others := slices.Delete(slices.Clone(effects), i, i+1)
		endedBefore := func(other Effect[S]) bool { return other.Actor.endedBefore(effect.Actor) }
		if slices.ContainsFunc(others, endedBefore) {
			continue
		}

		// Assume that the operation took effect, and look for an order of the others.
		mayHaveEffect, isUncertain := effect.Actor.outcome()
		if mayHaveEffect {
			next, ok := effect.Apply(start)
			if ok && SomeOrder(next, end, others...) {
				return true
			}
		}

		// Assume that the operation had no effect, and look for an order of the others.
		mayLackEffect := !mayHaveEffect || isUncertain
		if mayLackEffect && SomeOrder(start, end, others...) {
			return true
		}
	}
	return false
}

func (a *Actor) endedBefore(b *Actor) bool { return a.lastStep < b.firstStep }

// outcome reports whether the operation may have taken effect, and whether that is uncertain.
func (a *Actor) outcome() (took, uncertain bool) {
	uncertain = a.died || errors.Is(a.err, storage.OutcomeUnknown)
	return uncertain || a.err == nil, uncertain
}
