package storage

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
)

type transientDriver struct{ Driver }

func (transientDriver) Transient() {}

// A layer that embeds what it wraps as a Driver has no method but a Driver's.
type passingLayer struct{ Driver }

func TestOnlyATransientDriverItselfHasItsRequestsUsedAgain(t *testing.T) {
	bare := transientDriver{}
	passing := func(ctx context.Context, _ string, next func(context.Context) error) error { return next(ctx) }
	for name, c := range map[string]struct {
		driver   Driver
		local    bool
		recycles bool
	}{
		"transient":           {bare, true, true},
		"not on this machine": {bare, false, false},
		"another":             {passingLayer{}, true, false},
		"behind a layer":      {passingLayer{bare}, true, false},
		"behind Around":       {Around(bare, passing), true, false},
		"behind two layers":   {Around(passingLayer{bare}, passing), true, false},
	} {
		t.Run(name, func(t *testing.T) {
			core := &core{driver: c.driver, desc: Description{Local: c.local}}
			require.Equal(t, c.recycles, core.recycles())
		})
	}
}
