package overlay_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/testing/explored"
	"github.com/omnibucket/storage/layers/overlay"
	"github.com/omnibucket/storage/storagetest/interleave"
)

// An exploredMove has two stores. Several processes use them as one, through an overlay.
type exploredMove struct {
	*interleave.Scene
	old, new *interleave.Store
	config   overlay.Config
}

// layer returns the layer of the overlay.
func (e *exploredMove) layer(old storage.Bucket) storage.OpenOption {
	layer, err := overlay.New(old, e.config)
	require.NoError(e, err)
	return driver.WithLayer(layer)
}

// open opens the overlay outside of all processes.
func (e *exploredMove) open() storage.Bucket { return e.new.Bucket(e.layer(e.old.Bucket())) }

// text returns the content of the object in a bucket, or "" if there is none.
func (e *exploredMove) text(b storage.Bucket) string {
	data, _, err := storage.ReadAll(e.Context(), b, key)
	if errors.Is(err, storage.ObjectNotFound) {
		return ""
	}
	require.NoError(e, err)
	return string(data)
}

// An exploredOperation is an operation on the one key of an overlay.
type exploredOperation struct {
	name string
	// do makes the operation. It returns the content that it has read, or "".
	do func(ctx context.Context, b storage.Bucket, text string) (read string, err error)
	// apply returns the content that the operation leaves, and the content that the operation
	// reads.
	apply   func(before, text string) (after, read string, done bool)
	mayFail storage.Code // with which it may fail, or ""
	repeats bool         // it may have its effect twice if a response is lost
}

// uploads returns an operation that uploads the text.
func uploads(opts ...storage.UploadOption) func(context.Context, storage.Bucket, string) (string, error) {
	return func(ctx context.Context, b storage.Bucket, text string) (string, error) {
		_, err := b.Upload(ctx, key, strings.NewReader(text), opts...)
		return "", err
	}
}

// unchanged is the function apply of an operation that neither changes nor reads the object.
func unchanged(textBefore, _ string) (after, read string, done bool) { return textBefore, "", true }

var exploredOperations = []exploredOperation{
	{
		name:  "upload",
		do:    uploads(),
		apply: func(_, text string) (string, string, bool) { return text, "", true },
	},
	{
		name:    "create",
		do:      uploads(storage.IfAbsent()),
		apply:   func(textBefore, text string) (string, string, bool) { return text, "", textBefore == "" },
		mayFail: storage.PreconditionFailed,
	},
	{
		name: "append",
		do: func(ctx context.Context, b storage.Bucket, text string) (string, error) {
			_, err := storage.Append(ctx, b, key, []byte(text))
			return "", err
		},
		apply: func(textBefore, text string) (string, string, bool) { return textBefore + text, "", true },
	},
	{
		name: "remove",
		do: func(ctx context.Context, b storage.Bucket, _ string) (string, error) {
			return "", b.Remove(ctx, key)
		},
		apply:   func(string, string) (string, string, bool) { return "", "", true },
		repeats: true,
	},
	{
		name: "read",
		do: func(ctx context.Context, b storage.Bucket, _ string) (string, error) {
			data, _, err := storage.ReadAll(ctx, b, key)
			if errors.Is(err, storage.ObjectNotFound) {
				return "", nil
			}
			return string(data), err
		},
		apply: func(textBefore, _ string) (string, string, bool) { return textBefore, textBefore, true },
	},
	{
		name: "set tags",
		do: func(ctx context.Context, b storage.Bucket, text string) (string, error) {
			return "", storage.SetTags(ctx, b, key, map[string]string{"t": text})
		},
		apply: func(textBefore, _ string) (string, string, bool) {
			return textBefore, "", textBefore != ""
		},
		mayFail: storage.ObjectNotFound,
	},
	{
		name: "finish",
		do: func(ctx context.Context, b storage.Bucket, _ string) (string, error) {
			_, err := overlay.Finish(ctx, b, overlay.FinishConfig{Concurrency: 1})
			return "", err
		},
		apply: unchanged,
	},
}

// Two concurrent operations have the same result as if one followed the other on a single store.
// After Finish, the new store has this result.
func TestExploredOperationsOnAnOverlay(t *testing.T) {
	for i, x := range exploredOperations {
		for _, y := range exploredOperations[i:] {
			t.Run(x.name+", "+y.name, func(t *testing.T) {
				explored.EachOrderOnSome(t, func(s *interleave.Scene) {
					e := newExploredMove(s)
					e.explore(x, y)
				})
			})
		}
	}
}

// With KeepOld, two concurrent operations have the same result as if one followed the other, and
// the old store does not change.
func TestExploredOperationsOnAnOverlayThatKeepsTheOldStore(t *testing.T) {
	for i, x := range exploredOperations {
		for _, y := range exploredOperations[i:] {
			// By default, only pairs with a removal are tested, because a removal leaves a
			// tombstone.
			leavesTombstone := x.name == "remove" || y.name == "remove"
			if !leavesTombstone && !explored.All() {
				continue
			}
			t.Run(x.name+", "+y.name, func(t *testing.T) {
				explored.EachOrderOnSome(t, func(s *interleave.Scene) {
					// The old store has the object with the content "first". Two processes make one operation each.
					e := newExploredMove(s)
					e.config.KeepOld = true
					e.explore(x, y)
					s.Check(func() {
						require.Equal(s, "first", e.text(e.old.Bucket()))
					})
				})
			})
		}
	}
}

// newExploredMove returns an overlay with CopyOnRead, whose old store has an object with the text "first".
func newExploredMove(s *interleave.Scene) *exploredMove {
	e := &exploredMove{Scene: s, old: s.Store("old"), new: s.Store("new")}
	e.config.CopyOnRead = true
	_, err := e.old.Bucket().Upload(s.Context(), key, strings.NewReader("first"))
	require.NoError(s, err)
	return e
}

// explore runs each operation in a process of its own. It requires that the result is that of the
// operations one after the other, in some order.
func (e *exploredMove) explore(operations ...exploredOperation) {
	reads := make([]string, len(operations))
	var actors []*interleave.Actor
	for i, o := range operations {
		name := string(rune('x' + i))
		p := e.Process(name)
		b := p.Bucket(e.new, e.layer(p.Bucket(e.old)))
		actors = append(actors, p.Go(name, func(ctx context.Context) (err error) {
			reads[i], err = o.do(ctx, b, name)
			return err
		}))
	}
	e.Check(func() {
		var effects []interleave.Effect[string]
		for i, o := range operations {
			a := actors[i]
			effect := interleave.Effect[string]{
				Actor: a,
				Apply: func(textBefore string) (string, bool) {
					text, readText, ok := o.apply(textBefore, a.Name())
					return text, ok && (a.Died() || readText == reads[i])
				},
			}
			effects = append(effects, effect)
			if o.repeats && a.Lost() {
				effects = append(effects, effect)
			}
			failsAsPermitted := o.mayFail != "" && errors.Is(a.Err(), o.mayFail)
			if !explored.Unknown(a) && !failsAsPermitted {
				require.NoError(e, a.Err(), o.name)
			}
		}

		text := e.text(e.open())
		require.True(e, interleave.SomeOrder("first", text, effects...),
			"no order gives %q; %q was read", text, reads)
		report, err := overlay.Finish(e.Context(), e.open(), overlay.FinishConfig{})
		require.NoError(e, err)
		require.Equal(e, text, e.text(e.open()), "after Finish")

		if report.Markers == 0 {
			require.Equal(e, text, e.text(e.new.Bucket()), "in the new store")
		}
	})
}
