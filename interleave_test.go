package storage_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/testing/explored"
	"github.com/omnibucket/storage/storagetest/interleave"
)

// A change is an operation on one key, and what it does to the content if nothing else happens meanwhile.
type change struct {
	name string
	do   func(ctx context.Context, b storage.Bucket, key, text, revision string) error
	// apply returns the content after the operation; "" means that there is no object. done is false if the
	// operation should fail.
	apply func(before, text string, first bool) (after string, done bool)
	// repeats is true if a lost response makes the bucket repeat the operation, without a condition that tells.
	repeats bool
	// mayFail are the codes with which it may fail because of the other actor.
	mayFail []storage.Code
	needs   storage.Features
}

func uploading(opts func(revision string) []storage.UploadOption) func(
	ctx context.Context, b storage.Bucket, key, text, revision string,
) error {
	return func(ctx context.Context, b storage.Bucket, key, text, revision string) error {
		_, err := b.Upload(ctx, key, strings.NewReader(text), opts(revision)...)
		return err
	}
}

// unlessGone leaves an object as it is.
func unlessGone(text, _ string, _ bool) (string, bool) { return text, text != "" }

var changes = []change{
	{
		name:  "upload",
		do:    uploading(func(string) []storage.UploadOption { return nil }),
		apply: func(_, text string, _ bool) (string, bool) { return text, true },
	},
	{
		name: "upload if absent",
		do: uploading(func(string) []storage.UploadOption {
			return []storage.UploadOption{storage.IfAbsent()}
		}),
		apply:   func(textBefore, text string, _ bool) (string, bool) { return text, textBefore == "" },
		mayFail: []storage.Code{storage.PreconditionFailed},
	},
	{
		name: "upload if revision",
		do: uploading(func(revision string) []storage.UploadOption {
			return []storage.UploadOption{storage.IfRevision(revision)}
		}),
		apply:   func(_, text string, first bool) (string, bool) { return text, first },
		mayFail: []storage.Code{storage.PreconditionFailed},
	},
	{
		name: "upload in parts",
		do: func(ctx context.Context, b storage.Bucket, key, text, _ string) error {
			_, err := b.Upload(ctx, key, strings.NewReader(text), storage.WithPartSize(1),
				storage.WithConcurrency(1))
			return err
		},
		apply: func(_, text string, _ bool) (string, bool) { return text, true },
	},
	{
		name: "update",
		do: func(ctx context.Context, b storage.Bucket, key, text, _ string) error {
			_, err := storage.Update(ctx, b, key, func(old []byte, _ *storage.Attrs) ([]byte, error) {
				return append(old[:len(old):len(old)], text...), nil
			})
			return err
		},
		apply: func(textBefore, text string, _ bool) (string, bool) { return textBefore + text, true },
	},
	{
		name: "append",
		do: func(ctx context.Context, b storage.Bucket, key, text, _ string) error {
			_, err := storage.Append(ctx, b, key, []byte(text))
			return err
		},
		apply: func(textBefore, text string, _ bool) (string, bool) { return textBefore + text, true },
	},
	{
		name: "copy onto itself",
		do: func(ctx context.Context, b storage.Bucket, key, _, _ string) error {
			_, err := storage.Copy(ctx, b, key, b, key, storage.WithMetadata(map[string]string{"by": "copy"}))
			return err
		},
		apply:   unlessGone,
		mayFail: []storage.Code{storage.Changed, storage.ObjectNotFound},
	},
	{
		name: "compose with itself",
		do: func(ctx context.Context, b storage.Bucket, key, _, _ string) error {
			_, err := storage.Compose(ctx, b, key, []string{key, key})
			return err
		},
		apply: func(textBefore, _ string, _ bool) (string, bool) {
			return textBefore + textBefore, textBefore != ""
		},
		mayFail: []storage.Code{storage.Changed, storage.ObjectNotFound},
	},
	{
		name: "set tags",
		do: func(ctx context.Context, b storage.Bucket, key, text, _ string) error {
			return storage.SetTags(ctx, b, key, map[string]string{"t": text})
		},
		apply:   unlessGone,
		mayFail: []storage.Code{storage.ObjectNotFound},
	},
	{
		name: "remove",
		do: func(ctx context.Context, b storage.Bucket, key, _, _ string) error {
			return b.Remove(ctx, key)
		},
		apply:   func(string, string, bool) (string, bool) { return "", true },
		repeats: true,
	},
	{
		name: "remove if revision",
		do: func(ctx context.Context, b storage.Bucket, key, _, revision string) error {
			return b.Remove(ctx, key, storage.IfRevision(revision))
		},
		apply: func(textBefore, _ string, first bool) (string, bool) {
			return "", textBefore == "" || first
		},
		mayFail: []storage.Code{storage.PreconditionFailed},
		needs:   storage.ConditionalRemove,
	},
}

// A content is the state of the key.
type content struct {
	text  string
	first bool // the object has the revision with which the scene began
}

// effects returns what an operation should do, which is the same effect twice if it was repeated.
func (c change) effects(s *interleave.Scene, a *interleave.Actor, firstText string) []interleave.Effect[content] {
	effect := interleave.Effect[content]{
		Actor: a,
		Apply: func(current content) (content, bool) {
			text, ok := c.apply(current.text, a.Name(), current.first)
			next := content{text: text, first: current.first && c.name == "set tags"}
			if s.Weakness().EqualRevisions {
				next.first = text == firstText
			}
			return next, ok
		},
	}
	if c.repeats && a.Lost() {
		return []interleave.Effect[content]{effect, effect}
	}
	return []interleave.Effect[content]{effect}
}

// checkFailure checks that an operation failed only as it may.
func (c change) checkFailure(s *interleave.Scene, a *interleave.Actor) {
	if a.Err() == nil || explored.Unknown(a) {
		return
	}
	require.Contains(s, c.mayFail, storage.CodeOf(a.Err()), "%s: %v", c.name, a.Err())
}

// changing is a scene of operations on one key.
func changing(first string, operations ...change) func(s *interleave.Scene) {
	return func(s *interleave.Scene) {
		const key = "k"
		store := s.Store("s")
		outside := store.Bucket()
		revision := "memory:1"
		if first != "" {
			attrs, err := outside.Upload(s.Context(), key, strings.NewReader(first))
			require.NoError(s, err)
			revision = attrs.Revision
		}
		var actors []*interleave.Actor
		for i, c := range operations {
			text := string(rune('a' + i))
			p := s.Process(text)
			b := p.Bucket(store)
			actors = append(actors, p.Go(text, func(ctx context.Context) error {
				if !storage.Supports(b, c.needs) {
					return nil
				}
				return c.do(ctx, b, key, text, revision)
			}))
		}
		s.Check(func() {
			data, _, err := storage.ReadAll(s.Context(), outside, key)
			if !errors.Is(err, storage.ObjectNotFound) {
				require.NoError(s, err)
			}

			var effects []interleave.Effect[content]
			for i, c := range operations {
				c.checkFailure(s, actors[i])
				if storage.Supports(outside, c.needs) {
					effects = append(effects, c.effects(s, actors[i], first)...)
				}
			}

			for _, untouched := range []bool{false, true} {
				next := content{text: string(data), first: untouched}
				if interleave.SomeOrder(content{text: first, first: true}, next, effects...) {
					return
				}
			}

			text := fmt.Sprintf("no order of the operations gives %q", data)
			for i, c := range operations {
				text += fmt.Sprintf("; %s: %v", c.name, actors[i].Err())
			}
			s.Errorf("%s", text)
		})
	}
}

// If two operations on one key run at the same time, the result is that of one after the other.
func TestExploredOperationsOnOneKey(t *testing.T) {
	for i, a := range changes {
		for _, b := range changes[i:] {
			t.Run(a.name+", "+b.name, func(t *testing.T) {
				explored.Run(t, changing("first ", a, b))
			})
		}
	}
}

// If Complete succeeds beside another Complete or an Abort, the key holds the upload's object. Beside an Upload or
// a Remove, the key holds the result of one of the two calls.
func TestExploredOpenUploads(t *testing.T) {
	type part = func(ctx context.Context, b storage.Bucket, m storage.MultipartUpload) error
	complete := func(ctx context.Context, _ storage.Bucket, m storage.MultipartUpload) error {
		_, err := m.Complete(ctx)
		return err
	}
	for _, tt := range []struct {
		name  string
		other part
		// after are the contents that the key may have. "" means that it may have none.
		after []string
	}{
		{name: "complete", other: complete, after: []string{"part"}},
		{
			name: "abort",
			other: func(ctx context.Context, _ storage.Bucket, m storage.MultipartUpload) error {
				return m.Abort(ctx)
			},
			after: []string{"part", ""},
		},
		{
			name: "upload",
			other: func(ctx context.Context, b storage.Bucket, _ storage.MultipartUpload) error {
				_, err := b.Upload(ctx, "k", strings.NewReader("new"))
				return err
			},
			after: []string{"part", "new"},
		},
		{
			name: "remove",
			other: func(ctx context.Context, b storage.Bucket, _ storage.MultipartUpload) error {
				return b.Remove(ctx, "k")
			},
			after: []string{"part", ""},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			explored.Run(t, func(s *interleave.Scene) {
				store := s.Store("s")
				outside := store.Bucket()
				m, err := storage.BeginUpload(s.Context(), outside, "k")
				require.NoError(s, err)
				_, err = m.PutPart(s.Context(), 1, strings.NewReader("part"))
				require.NoError(s, err)
				run := func(name string, do part) *interleave.Actor {
					p := s.Process(name)
					b := p.Bucket(store)
					return p.Go(name, func(ctx context.Context) error {
						m, err := storage.ContinueUpload(ctx, b, m.Token())
						if err != nil {
							return err
						}
						return do(ctx, b, m)
					})
				}
				completes := run("completes", complete)
				other := run("other", tt.other)
				s.Check(func() {
					data, _, err := storage.ReadAll(s.Context(), outside, "k")
					if !errors.Is(err, storage.ObjectNotFound) {
						require.NoError(s, err)
					}
					completed := explored.Succeeded(completes)
					isDone := explored.Succeeded(other)
					if completed && isDone && !completes.Lost() && !other.Lost() {
						require.Contains(s, tt.after, string(data))
					}
					if completed && tt.name == "abort" {
						require.Equal(s, "part", string(data), "a completed upload was aborted")
					}
					if completed && tt.name == "complete" {
						require.Equal(s, "part", string(data))
					}
				})
			})
		})
	}
}

// On a store that removes by revision, RemoveMatching keeps objects that were written after its listing.
func TestExploredRemoveMatching(t *testing.T) {
	explored.Run(t, func(s *interleave.Scene) {
		store := s.Store("s")
		outside := store.Bucket()
		_, err := outside.Upload(s.Context(), "k", strings.NewReader("first"))
		require.NoError(s, err)
		p := s.Process("removes")
		q := s.Process("writes")
		b := p.Bucket(store)
		c := q.Bucket(store)
		p.Go("removes", func(ctx context.Context) error {
			_, err := storage.RemoveMatching(ctx, b, func(e storage.ListEntry) bool { return e.Size == 5 })
			return err
		})
		writes := q.Go("writes", func(ctx context.Context) error {
			_, err := c.Upload(ctx, "k", strings.NewReader("new"))
			return err
		})
		s.Check(func() {
			if explored.Succeeded(writes) && storage.Supports(outside, storage.ConditionalRemove) {
				data, _, err := storage.ReadAll(s.Context(), outside, "k")
				require.NoError(s, err)
				require.Equal(s, "new", string(data))
			}
		})
	})
}
