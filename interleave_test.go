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

// A change is an operation on the key "k", and what it does to the object if nothing else happens meanwhile.
type change struct {
	name string
	do   func(ctx context.Context, call changeCall) error
	// apply returns the text after an operation that writes the given text; "" means that there is no object. done is
	// false if the operation should fail.
	apply func(before content, text string) (after string, done bool)
	// repeats is true if the bucket repeats the operation after a lost response, and no condition shows that the first
	// attempt took effect.
	repeats bool
	// mayFail are the codes of errors that the operation may return because of the other operation.
	mayFail []storage.Code
	needs   storage.Features
}

// A changeCall is what one process does its change with.
type changeCall struct {
	bucket   storage.Bucket
	text     string // that the process writes
	revision string // of the first object
}

// upload stores the text of the call.
func (call changeCall) upload(ctx context.Context, opts ...storage.UploadOption) error {
	_, err := call.bucket.Upload(ctx, "k", strings.NewReader(call.text), opts...)
	return err
}

// A content is the state of the key.
type content struct {
	text  string // "" if there is no object
	first bool   // the object has the revision with which the scene began
}

var changes = []change{
	{
		name: "upload",
		do: func(ctx context.Context, call changeCall) error {
			return call.upload(ctx)
		},
		apply: func(_ content, text string) (string, bool) { return text, true },
	},
	{
		name: "upload if absent",
		do: func(ctx context.Context, call changeCall) error {
			return call.upload(ctx, storage.IfAbsent())
		},
		apply:   func(before content, text string) (string, bool) { return text, before.text == "" },
		mayFail: []storage.Code{storage.PreconditionFailed},
	},
	{
		name: "upload if revision",
		do: func(ctx context.Context, call changeCall) error {
			return call.upload(ctx, storage.IfRevision(call.revision))
		},
		apply:   func(before content, text string) (string, bool) { return text, before.first },
		mayFail: []storage.Code{storage.PreconditionFailed},
	},
	{
		name: "upload in parts",
		do: func(ctx context.Context, call changeCall) error {
			return call.upload(ctx, storage.WithPartSize(1), storage.WithConcurrency(1))
		},
		apply: func(_ content, text string) (string, bool) { return text, true },
	},
	{
		name: "update",
		do: func(ctx context.Context, call changeCall) error {
			appendText := func(old []byte, _ *storage.Attrs) ([]byte, error) {
				return append(old[:len(old):len(old)], call.text...), nil
			}
			_, err := storage.Update(ctx, call.bucket, "k", appendText)
			return err
		},
		apply: func(before content, text string) (string, bool) { return before.text + text, true },
	},
	{
		name: "append",
		do: func(ctx context.Context, call changeCall) error {
			_, err := storage.Append(ctx, call.bucket, "k", []byte(call.text))
			return err
		},
		apply: func(before content, text string) (string, bool) { return before.text + text, true },
	},
	{
		name: "copy onto itself",
		do: func(ctx context.Context, call changeCall) error {
			_, err := storage.Copy(ctx, call.bucket, "k", call.bucket, "k",
				storage.WithMetadata(map[string]string{"by": "copy"}))
			return err
		},
		apply:   keepIfPresent,
		mayFail: []storage.Code{storage.Changed, storage.ObjectNotFound},
	},
	{
		name: "compose with itself",
		do: func(ctx context.Context, call changeCall) error {
			_, err := storage.Compose(ctx, call.bucket, "k", []string{"k", "k"})
			return err
		},
		apply: func(before content, _ string) (string, bool) {
			return before.text + before.text, before.text != ""
		},
		mayFail: []storage.Code{storage.Changed, storage.ObjectNotFound},
	},
	{
		name: "set tags",
		do: func(ctx context.Context, call changeCall) error {
			return storage.SetTags(ctx, call.bucket, "k", map[string]string{"t": call.text})
		},
		apply:   keepIfPresent,
		mayFail: []storage.Code{storage.ObjectNotFound},
	},
	{
		name: "remove",
		do: func(ctx context.Context, call changeCall) error {
			return call.bucket.Remove(ctx, "k")
		},
		apply:   func(content, string) (string, bool) { return "", true },
		repeats: true,
	},
	{
		name: "remove if revision",
		do: func(ctx context.Context, call changeCall) error {
			return call.bucket.Remove(ctx, "k", storage.IfRevision(call.revision))
		},
		apply: func(before content, _ string) (string, bool) {
			return "", before.text == "" || before.first
		},
		mayFail: []storage.Code{storage.PreconditionFailed},
		needs:   storage.ConditionalRemove,
	},
}

// keepIfPresent is the function apply of an operation that keeps the content, and fails if there is no object.
func keepIfPresent(before content, _ string) (string, bool) { return before.text, before.text != "" }

// effects returns what an operation should do. If the operation was repeated, that is the same effect twice.
func (c change) effects(
	s *interleave.Scene, a *interleave.Actor, firstText string,
) []interleave.Effect[content] {
	effect := interleave.Effect[content]{
		Actor: a,
		Apply: func(current content) (content, bool) {
			text, done := c.apply(current, a.Name())
			keepsRevision := c.name == "set tags"
			next := content{text: text, first: current.first && keepsRevision}
			if s.Weakness().EqualRevisions {
				next.first = text == firstText
			}
			return next, done
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

// changeScene returns a scene in which processes run operations on the key "k" at the same time. firstText is the text
// of the object before, or "" if there is none.
func changeScene(firstText string, operations ...change) func(s *interleave.Scene) {
	return func(s *interleave.Scene) {
		store := s.Store("s")
		outside := store.Bucket()
		revision := "memory:1" // of no object
		if firstText != "" {
			attrs, err := outside.Upload(s.Context(), "k", strings.NewReader(firstText))
			require.NoError(s, err)
			revision = attrs.Revision
		}

		// Each operation has a process, whose name is also the text that it writes.
		var actors []*interleave.Actor
		for i, operation := range operations {
			text := string(rune('a' + i))
			process := s.Process(text)
			call := changeCall{bucket: process.Bucket(store), text: text, revision: revision}
			actors = append(actors, process.Go(text, func(ctx context.Context) error {
				if !storage.Supports(call.bucket, operation.needs) {
					return nil
				}
				return operation.do(ctx, call)
			}))
		}

		// The explorer calls this function after it has run all operations, once for each order of their requests.
		s.Check(func() {
			data, _, err := storage.ReadAll(s.Context(), outside, "k")
			if !errors.Is(err, storage.ObjectNotFound) {
				require.NoError(s, err)
			}

			var effects []interleave.Effect[content]
			for i, operation := range operations {
				operation.checkFailure(s, actors[i])
				if storage.Supports(outside, operation.needs) {
					effects = append(effects, operation.effects(s, actors[i], firstText)...)
				}
			}
			if hasOrder(firstText, string(data), effects) {
				return
			}

			message := fmt.Sprintf("no order of the operations gives %q", data)
			for i, operation := range operations {
				message += fmt.Sprintf("; %s: %v", operation.name, actors[i].Err())
			}
			s.Errorf("%s", message)
		})
	}
}

// hasOrder reports whether effects, in some order, turn an object with firstText into one with lastText.
func hasOrder(firstText, lastText string, effects []interleave.Effect[content]) bool {
	before := content{text: firstText, first: true}
	// Both values of the field first are tried, because a reader cannot see whether the object still is the first one.
	replaced := content{text: lastText, first: false}
	untouched := content{text: lastText, first: true}
	return interleave.SomeOrder(before, replaced, effects...) || interleave.SomeOrder(before, untouched, effects...)
}

// If two operations on one key run at the same time, the result is that of one after the other.
func TestExploredOperationsOnOneKey(t *testing.T) {
	for i, a := range changes {
		for _, b := range changes[i:] {
			t.Run(a.name+", "+b.name, func(t *testing.T) {
				explored.EachOrder(t, changeScene("first ", a, b))
			})
		}
	}
}

// An uploadCall is a call that may run at the same time as Complete of an open upload of "k".
type uploadCall func(ctx context.Context, b storage.Bucket, upload storage.MultipartUpload) error

func completeUpload(ctx context.Context, _ storage.Bucket, upload storage.MultipartUpload) error {
	_, err := upload.Complete(ctx)
	return err
}

func abortUpload(ctx context.Context, _ storage.Bucket, upload storage.MultipartUpload) error {
	return upload.Abort(ctx)
}

func uploadNew(ctx context.Context, b storage.Bucket, _ storage.MultipartUpload) error {
	_, err := b.Upload(ctx, "k", strings.NewReader("new"))
	return err
}

func removeKey(ctx context.Context, b storage.Bucket, _ storage.MultipartUpload) error {
	return b.Remove(ctx, "k")
}

// If a Complete succeeds beside another Complete or an Abort, the key holds the object of the upload. If an Upload or
// a Remove runs at the same time, the key holds the result of one of the two calls.
func TestExploredOpenUploads(t *testing.T) {
	tests := []struct {
		name      string
		other     uploadCall
		wantOneOf []string // contents that the key may have; "" means that it may have none
		wantPart  bool     // whether the key has the part after each Complete that succeeds
	}{
		{name: "complete", other: completeUpload, wantOneOf: []string{"part"}, wantPart: true},
		{name: "abort", other: abortUpload, wantOneOf: []string{"part", ""}, wantPart: true},
		{name: "upload", other: uploadNew, wantOneOf: []string{"part", "new"}},
		{name: "remove", other: removeKey, wantOneOf: []string{"part", ""}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			explored.EachOrder(t, func(s *interleave.Scene) {
				store := s.Store("s")
				outside := store.Bucket()
				upload, err := storage.BeginUpload(s.Context(), outside, "k")
				require.NoError(s, err)
				_, err = upload.PutPart(s.Context(), 1, strings.NewReader("part"))
				require.NoError(s, err)

				// One process completes the upload, while another one makes the other call.
				completing := continueInProcess(s, store, "completes", upload.Token(), completeUpload)
				other := continueInProcess(s, store, "other", upload.Token(), tt.other)

				// EachOrder calls this function after each order of the requests of both calls. In some runs, a response
				// is lost.
				s.Check(func() {
					// If there is no object, data is empty.
					data, _, err := storage.ReadAll(s.Context(), outside, "k")
					if !errors.Is(err, storage.ObjectNotFound) {
						require.NoError(s, err)
					}
					if !explored.Succeeded(completing) {
						return
					}

					// A write whose response was lost may be made twice, so the key may then have another content.
					isAnyLost := completing.Lost() || other.Lost()
					if explored.Succeeded(other) && !isAnyLost {
						require.Contains(s, tt.wantOneOf, string(data))
					}
					if tt.wantPart {
						require.Equal(s, "part", string(data))
					}
				})
			})
		})
	}
}

// continueInProcess starts a process that continues an upload and makes a call with it.
func continueInProcess(
	s *interleave.Scene, store *interleave.Store, name, token string, call uploadCall,
) *interleave.Actor {
	process := s.Process(name)
	bucket := process.Bucket(store)
	return process.Go(name, func(ctx context.Context) error {
		upload, err := storage.ContinueUpload(ctx, bucket, token)
		if err != nil {
			return err
		}
		return call(ctx, bucket, upload)
	})
}

// RemoveMatching keeps an object that was written after its listing, on a store with ConditionalRemove.
func TestExploredRemoveMatching(t *testing.T) {
	// EachOrder runs this scene once for each order of the requests of the two processes.
	explored.EachOrder(t, func(s *interleave.Scene) {
		store := s.Store("s")
		outside := store.Bucket()
		_, err := outside.Upload(s.Context(), "k", strings.NewReader("first"))
		require.NoError(s, err)

		// One process removes objects of the size of the first one, while another one replaces it.
		remover := s.Process("removes")
		removerBucket := remover.Bucket(store)
		remover.Go("removes", func(ctx context.Context) error {
			isFirst := func(entry storage.ListEntry) bool { return entry.Size == int64(len("first")) }
			_, err := storage.RemoveMatching(ctx, removerBucket, isFirst)
			return err
		})

		writer := s.Process("writes")
		writerBucket := writer.Bucket(store)
		writing := writer.Go("writes", func(ctx context.Context) error {
			_, err := writerBucket.Upload(ctx, "k", strings.NewReader("new"))
			return err
		})

		s.Check(func() {
			// If the write succeeded, the new object is there. Without ConditionalRemove, it may be lost.
			if !explored.Succeeded(writing) || !storage.Supports(outside, storage.ConditionalRemove) {
				return
			}
			data, _, err := storage.ReadAll(s.Context(), outside, "k")
			require.NoError(s, err)
			require.Equal(s, "new", string(data))
		})
	})
}
