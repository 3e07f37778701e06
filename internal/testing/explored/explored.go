// Package explored runs the scenes of this repository with package interleave.
package explored

import (
	"os"
	"testing"

	"github.com/omnibucket/storage/internal/testing/testserver"
	"github.com/omnibucket/storage/storagetest/interleave"
)

// Run explores a scene on all kinds of stores. If [testserver.Required] is set, it also explores larger
// budgets, and random schedules.
func Run(t *testing.T, scene func(s *interleave.Scene)) {
	t.Helper()
	interleave.Run(t, Config(), scene)
}

// RunOnSome is like Run, for a scene that takes long: without [testserver.Required], it explores the scene only on the
// stores that lack nothing and that lack the most.
func RunOnSome(t *testing.T, scene func(s *interleave.Scene)) {
	t.Helper()
	c := Config()
	if os.Getenv(testserver.Required) == "" {
		all := interleave.Weaknesses()
		c.Weaknesses = []interleave.Weakness{all[0], all[len(all)-1]}
	}
	interleave.Run(t, c, scene)
}

// Config returns the configuration of Run.
func Config() interleave.Config {
	if os.Getenv(testserver.Required) == "" {
		return interleave.Config{}
	}
	return interleave.Config{
		Budgets: append(interleave.Budgets(), interleave.FurtherBudgets()...),
		Random:  1000,
		Limit:   50_000,
	}
}
