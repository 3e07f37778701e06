package running

import (
	"errors"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// If a function of a Group panics, the group calls its second function, and Wait panics with the same value.
func TestWaitRaisesThePanicOfAFunction(t *testing.T) {
	tests := []struct {
		name  string
		value any
	}{
		{name: "a text", value: "boom"},
		{name: "an error", value: errors.New("boom")},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var group Group
			returned, notified := false, false
			group.Go(func() {
				returned = true
			}, nil)
			group.Go(func() {
				panic(tt.value)
			}, func() {
				notified = true
			})

			require.PanicsWithValue(t, tt.value, group.Wait)
			require.True(t, returned)
			require.True(t, notified)
			require.NotPanics(t, group.Wait, "a panic is raised once")
		})
	}
}

// If a function panics with nil, Wait panics, too.
func TestWaitRaisesANilPanic(t *testing.T) {
	var g Group
	g.Go(func() {
		panic(nil)
	}, nil) //nolint:govet // callers may do this
	require.Panics(t, g.Wait)
}

// If a function calls runtime.Goexit, the goroutine that calls Wait ends, too, after all other functions.
func TestWaitEndsWithGoexit(t *testing.T) {
	var g Group
	broken := false
	g.Go(runtime.Goexit, func() {
		broken = true
	})

	// Only a return or a panic of Wait sets these. After Goexit, the deferred functions run, and recover
	// returns nil.
	returned, panicked := false, false
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() {
			panicked = recover() != nil
		}()
		g.Wait()
		returned = true
	}()

	<-done
	require.False(t, returned)
	require.False(t, panicked)
	require.True(t, broken)
}
