// Package explored runs the scenes of this repository with package interleave.
package explored

import (
	"errors"
	"os"
	"slices"
	"testing"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/storagetest/interleave"
)

// All reports whether every scene is explored on all kinds of stores, with larger budgets and random
// schedules, as "make interleavings" does.
func All() bool { return os.Getenv("OMNIBUCKET_INTERLEAVINGS") == "all" }

// Sample returns full with [All], and otherwise sample.
func Sample[T any](sample, full T) T {
	if All() {
		return full
	}
	return sample
}

// EachOrder runs a scene once for each order of the requests of its actors, on all kinds of stores. With [All], it also
// runs the scene with larger budgets, and in random orders.
func EachOrder(t *testing.T, scene func(s *interleave.Scene)) {
	t.Helper()
	interleave.Run(t, Config(), scene)
}

// EachOrderOnSome is like EachOrder, but without [All] it runs the scene only on the stores that lack
// nothing and that lack the most.
func EachOrderOnSome(t *testing.T, scene func(s *interleave.Scene)) {
	t.Helper()
	interleave.Run(t, onSome(Config()), scene)
}

// EachOrderWithin is like EachOrderOnSome with these budgets, and also with those of [Config] if [All] returns
// true.
func EachOrderWithin(t *testing.T, budgets []interleave.Budget, scene func(s *interleave.Scene)) {
	t.Helper()
	c := onSome(Config())
	c.Budgets = slices.Concat(budgets, c.Budgets)
	interleave.Run(t, c, scene)
}

// onSome returns c for the first and the last weakness of stores only, unless [All] returns true.
func onSome(c interleave.Config) interleave.Config {
	if All() {
		return c
	}
	weaknesses := interleave.Weaknesses()
	c.Weaknesses = []interleave.Weakness{weaknesses[0], weaknesses[len(weaknesses)-1]}
	return c
}

// Succeeded reports whether the function of an actor was acknowledged.
func Succeeded(a *interleave.Actor) bool { return a.Err() == nil && !a.Died() }

// Unknown reports whether nobody knows if the function of an actor took effect: its process died, or
// it failed with OutcomeUnknown.
func Unknown(a *interleave.Actor) bool { return a.Died() || errors.Is(a.Err(), storage.OutcomeUnknown) }

// Config returns the configuration of EachOrder.
func Config() interleave.Config {
	if !All() {
		return interleave.Config{}
	}
	return interleave.Config{
		Budgets: append(interleave.Budgets(), interleave.FurtherBudgets()...),
		Random:  300,
		Limit:   1000,
	}
}
