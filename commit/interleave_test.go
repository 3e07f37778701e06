package commit_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/commit"
	"github.com/omnibucket/storage/internal/testing/explored"
	"github.com/omnibucket/storage/storagetest/interleave"
)

// appending returns the work of a process that appends text, and stores the number of the entry in *number.
func appending(text string, number *int64) func(ctx context.Context, l *commit.Log) error {
	return func(ctx context.Context, l *commit.Log) (err error) {
		*number, err = l.Append(ctx, func(int64) ([]byte, error) { return []byte(text), nil })
		return err
	}
}

// trimTwice removes entry 1: the first call marks it, and the second one removes it.
func trimTwice(ctx context.Context, l *commit.Log) error {
	return errors.Join(l.Trim(ctx, 1), l.Trim(ctx, 2))
}

// readAll reads the log from its first entry on, and fails if there is a gap.
func readAll(ctx context.Context, l *commit.Log) error {
	next := int64(1)
	for entry, err := range l.From(ctx, next) {
		if errors.Is(err, storage.ObjectNotFound) {
			return nil // the next entry was trimmed, or there is none
		}
		if err != nil {
			return err
		}
		if entry.Number != next {
			return fmt.Errorf("entry %d after %d", entry.Number, next-1)
		}
		next++
	}
	return nil
}

// appendTo appends an entry, and fails the scene if that is impossible.
func appendTo(s *interleave.Scene, log *commit.Log, text string) {
	_, err := log.Append(s.Context(), func(int64) ([]byte, error) { return []byte(text), nil })
	require.NoError(s, err)
}

// A logScene is a scene of the package interleave, which tries the orders of the calls of its processes, with a log in
// its store.
type logScene struct {
	*interleave.Scene
	store *interleave.Store
}

// newLogScene returns a scene with a new store, whose log has givenEntries entries.
func newLogScene(s *interleave.Scene) *logScene {
	scene := &logScene{s, s.Store("s")}
	log := scene.open(scene.store.Bucket())
	for range givenEntries {
		appendTo(s, log, "given")
	}
	return scene
}

const givenEntries = 3

// open returns a new Log for the log in a bucket of the store.
func (s *logScene) open(b storage.Bucket) *commit.Log {
	log, err := commit.New(b, "log/")
	require.NoError(s, err)
	return log
}

// run starts a process that works on the log.
func (s *logScene) run(name string, work func(ctx context.Context, l *commit.Log) error) *interleave.Actor {
	process := s.Process(name)
	log := s.open(process.Bucket(s.store))
	return process.Go(name, func(ctx context.Context) error { return work(ctx, log) })
}

// newEntries returns the numbers of the entries that were added after the given ones, by their texts. Each text must be
// there once.
func (s *logScene) newEntries() map[string]int64 {
	log := s.open(s.store.Bucket())
	last, err := log.Last(s.Context())
	require.NoError(s, err)
	numbers := map[string]int64{}
	for number := int64(givenEntries + 1); number <= last; number++ {
		entry, err := log.Read(s.Context(), number)
		require.NoError(s, err)
		require.Zero(s, numbers[string(entry.Data)], "each entry must be appended once")
		numbers[string(entry.Data)] = number
	}
	return numbers
}

// checkWriter checks that a writer has failed only as it may, and that its entry is stored if it succeeded, and is not
// stored if it failed. number is what Append has returned. stored is the number of its entry, or 0 without an entry.
func (s *logScene) checkWriter(writer *interleave.Actor, number, stored int64) {
	err := writer.Err()
	// If the outcome is unknown, the entry may be stored, or not.
	isUnknown := explored.Unknown(writer)
	isUnanswered := writer.Unanswered() && errors.Is(err, storage.Unavailable)
	require.True(s, err == nil || isUnknown || isUnanswered, "%v", err)

	if isUnknown {
		return
	}
	if err != nil {
		require.Zero(s, stored, "a call that failed must append nothing")
		return
	}
	require.Equal(s, number, stored)
}

// In each order of the requests of two writers, each of their entries is appended once, without a
// gap.
func TestExploredLogOfTwoWriters(t *testing.T) {
	// EachOrder runs this scene once for each order of the requests. In some runs, a process dies or a response is lost.
	explored.EachOrder(t, func(s *interleave.Scene) {
		scene := newLogScene(s)
		var appendedA, appendedB int64 // what Append returns
		writerA := scene.run("a", appending("a", &appendedA))
		writerB := scene.run("b", appending("b", &appendedB))

		s.Check(func() {
			// If Append succeeded, the log has its entry at the number that it returned.
			stored := scene.newEntries() // the numbers of the entries, by their texts
			scene.checkWriter(writerA, appendedA, stored["a"])
			scene.checkWriter(writerB, appendedB, stored["b"])

			// The log takes another entry.
			appendTo(s, scene.open(scene.store.Bucket()), "later")
		})
	})
}

// While a writer appends, another process trims or reads the log. In each order of their requests, the log keeps the
// entry of the writer, and the reader sees no gap.
func TestExploredLog(t *testing.T) {
	tests := []struct {
		name string
		work func(ctx context.Context, l *commit.Log) error // of the process beside the writer
	}{
		{name: "append and trim", work: trimTwice},
		{name: "append and read", work: readAll},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			// EachOrder runs this scene once for each order of the requests. In some runs, a process dies or a response
			// is lost.
			explored.EachOrder(t, func(s *interleave.Scene) {
				scene := newLogScene(s)
				var appended int64 // what Append returns
				writer := scene.run("writer", appending("text", &appended))
				other := scene.run("other", tt.work)

				s.Check(func() {
					// Only a process that died or got no response may fail.
					mayFail := other.Died() || other.Unanswered()
					require.True(s, mayFail || other.Err() == nil, "%v", other.Err())

					// If Append succeeded, the log has its entry at the number that it returned.
					stored := scene.newEntries()["text"]
					scene.checkWriter(writer, appended, stored)

					// The log takes another entry.
					appendTo(s, scene.open(scene.store.Bucket()), "later")
				})
			})
		})
	}
}
