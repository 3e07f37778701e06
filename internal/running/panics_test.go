package running

import (
	"errors"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// If a function of a Group panics, the group calls the function for that case, and Wait panics with the same value.
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
