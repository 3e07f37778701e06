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

// SomeOrder reports whether the operations of the actors could have run one after the other, each wholly, from
// the state start to the state end. An operation that returned nil took effect. One whose process died or
// whose outcome is unknown may have. Any other one had no effect. An operation that ended before another one
// began is also before it in that order.
//
// SomeOrder does not ask whether an operation that failed had a reason to fail: the scene should check Err.
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
		mayHaveEffect, uncertain := effect.Actor.outcome()
		if mayHaveEffect {
			next, done := effect.Apply(start)
			if done && SomeOrder(next, end, others...) {
				return true
			}
		}
		if mayHaveEffect && !uncertain {
			continue
		}
		if SomeOrder(start, end, others...) {
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
