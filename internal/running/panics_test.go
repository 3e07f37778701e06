package running

import (
	"errors"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestWaitRaisesThePanicOfAFunction(t *testing.T) {
	tests := []struct {
		name  string
		value any
	}{
		{"a text", "boom"},
		{"an error", errors.New("boom")},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var g Group
			returned, broken := false, false
			g.Go(func() {
				returned = true
			}, nil)

			g.Go(func() {
				panic(tt.value)
			}, func() {
				broken = true
			})
			require.PanicsWithValue(t, tt.value, g.Wait)
			require.True(t, returned)
			require.True(t, broken)
			require.NotPanics(t, g.Wait, "a panic is raised once")
		})
	}
}

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
	reached := make(chan bool, 1)
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() {
			reached <- recover() != nil
		}()
		g.Wait()
		reached <- true
	}()

	<-done
	require.False(t, <-reached)
	require.True(t, broken)
}
