package running

import (
	"errors"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// If a function of a Group panics, Wait panics with the same value. Go gets a second function, which the group calls
// only in that case.
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
			returned := false
			succeed := func() {
				returned = true
			}
			fail := func() { panic(tt.value) }
			notified := false
			notify := func() {
				notified = true
			}

			// One function returns, and the other one panics.
			var group Group
			group.Go(succeed, nil)
			group.Go(fail, notify)
			require.PanicsWithValue(t, tt.value, group.Wait)
			require.True(t, returned)
			require.True(t, notified)

			// The panic is raised only once.
			require.NotPanics(t, group.Wait)
		})
	}
}

// If a function panics with nil, Wait panics, too.
func TestWaitRaisesANilPanic(t *testing.T) {
	var group Group
	group.Go(func() {
		panic(nil)
	}, nil) //nolint:govet // callers may do this
	require.Panics(t, group.Wait)
}

// If a function of a Group calls runtime.Goexit, the goroutine that calls Wait ends in the same way.
func TestWaitEndsWithGoexit(t *testing.T) {
	// The Group calls the second function if the first one does not return.
	var group Group
	notified := false
	group.Go(runtime.Goexit, func() {
		notified = true
	})

	// Wait neither returns nor panics. After Goexit, deferred functions run, and recover returns nil.
	returned, panicked := false, false
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() {
			panicked = recover() != nil
		}()
		group.Wait()
		returned = true
	}()

	<-done
	require.False(t, returned)
	require.False(t, panicked)
	require.True(t, notified)
}
