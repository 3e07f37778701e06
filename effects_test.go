package storage_test

import (
	"context"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"iter"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/core/effect"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/providers/local"
	"github.com/omnibucket/storage/storagetest/faults"
)

// A watchedBucket has a hook that denies some effects, and a layer that records what reaches the driver.
type watchedBucket struct {
	storage.Bucket
	upload storage.MultipartUpload // nil if the store has no open uploads
	dir    string                  // for files

	mu         sync.Mutex
	denied     storage.Effects
	operations []storage.Operation // that the hook has seen
	outcomes   []error             // of the operations that have ended
	requests   []watchedRequest
}

// A watchedRequest is a call of the driver, and the operation that it belongs to.
type watchedRequest struct {
	call string
	op   storage.Operation
}

var errDenied = errors.New("denied by the test")

// operationKey is the key of the operation in the context of a request.
type operationKey struct{}

// hook is a storage.Hook that records an operation, and denies it if it has a denied effect.
func (watched *watchedBucket) hook(ctx context.Context, op storage.Operation) (context.Context, func(storage.Outcome), error) {
	watched.mu.Lock()
	defer watched.mu.Unlock()
	watched.operations = append(watched.operations, op)
	end := func(outcome storage.Outcome) {
		watched.mu.Lock()
		defer watched.mu.Unlock()
		watched.outcomes = append(watched.outcomes, outcome.Err)
	}
	if op.Effects&watched.denied != 0 {
		return nil, end, errDenied
	}
	return context.WithValue(ctx, operationKey{}, op), end, nil
}

// record is a driver.Layer that records each request with its operation.
func (watched *watchedBucket) record(d driver.Driver) driver.Driver {
	return driver.Intercept(d, func(ctx context.Context, call string, next func(context.Context) error) error {
		op, _ := ctx.Value(operationKey{}).(storage.Operation)
		watched.mu.Lock()
		watched.requests = append(watched.requests, watchedRequest{call, op})
		watched.mu.Unlock()
		return next(ctx)
	})
}

// options returns the options with which a store opens the bucket.
func (watched *watchedBucket) options() []storage.OpenOption {
	return []storage.OpenOption{
		storage.WithHook(watched.hook),
		driver.WithLayer(watched.record),
		storage.WithSigningBaseURL("http://127.0.0.1/x"),
		storage.WithPublicAccess(true),
		storage.WithVersioning(true),
		storage.WithObjectLock(),
	}
}

// denyNothing makes reset permit all operations.
const denyNothing storage.Effects = 0

// reset makes the hook deny operations with the given effects from now on, and forgets what was recorded.
func (watched *watchedBucket) reset(deny storage.Effects) {
	watched.denied = deny
	watched.operations = nil
	watched.outcomes = nil
	watched.requests = nil
}

// effects returns the effects of all operations that the hook has seen.
func (watched *watchedBucket) effects() (all storage.Effects) {
	for _, op := range watched.operations {
		all |= op.Effects
	}
	return all
}

// watchedStores has a function for each store that opens a bucket with the options of a watchedBucket.
var watchedStores = map[string]func(t *testing.T, watched *watchedBucket) storage.Bucket{
	"memory": func(_ *testing.T, watched *watchedBucket) storage.Bucket {
		return memstore.New(watched.options()...)
	},
	"directory": func(t *testing.T, watched *watchedBucket) storage.Bucket {
		b, err := local.Open(t.TempDir(), local.Config{NoSync: true}, watched.options()...)
		require.NoError(t, err)
		return b
	},
	"weak": func(_ *testing.T, watched *watchedBucket) storage.Bucket {
		keep := storage.OrderedListing | storage.LeadingSlashes | storage.KeysBesideFolders | storage.Versioning |
			storage.ObjectLock | storage.ConditionalCreate | storage.ConditionalUpdate
		weak := driver.WithLayer(faults.WithLimits(faults.Limits{Disable: ^keep, MaxBatch: -1}))
		return memstore.New(append([]storage.OpenOption{weak}, watched.options()...)...)
	},
}

// newWatchedBucket returns a bucket with the objects "a" and "b", and an open upload if the store has these.
func newWatchedBucket(t *testing.T, store string) *watchedBucket {
	t.Helper()
	watched := &watchedBucket{dir: t.TempDir()}
	watched.Bucket = watchedStores[store](t, watched)
	t.Cleanup(func() { _ = storage.Close(watched.Bucket) })
	for _, key := range []string{"a", "b"} {
		_, err := watched.Upload(t.Context(), key, strings.NewReader("text"))
		require.NoError(t, err)
	}

	upload, err := storage.BeginUpload(t.Context(), watched.Bucket, "u", storage.WithUncheckedParts())
	if err != nil {
		require.ErrorIs(t, err, storage.Unsupported)
		return watched
	}
	watched.upload = upload
	_, err = upload.PutPart(t.Context(), 1, strings.NewReader("part"))
	require.NoError(t, err)
	return watched
}

const (
	read     = storage.EffectRead
	write    = storage.EffectWrite
	remove   = storage.EffectRemove
	list     = storage.EffectList
	describe = storage.EffectDescribe
	sign     = storage.EffectSign
	vend     = storage.EffectVend
)

// watchedCalls has a row for each method and function that takes a bucket and reaches it. The hook sees exactly
// the effects of the row.
var watchedCalls = []struct {
	name    string
	effects storage.Effects
	call    func(ctx context.Context, b storage.Bucket, watched *watchedBucket) error
}{
	{
		name:    "Bucket.Upload",
		effects: write,
		call: func(ctx context.Context, b storage.Bucket, _ *watchedBucket) error {
			return lastError(b.Upload(ctx, "n", strings.NewReader("x")))
		},
	},
	{
		name:    "Bucket.Download",
		effects: read,
		call: func(ctx context.Context, b storage.Bucket, _ *watchedBucket) error {
			r, err := b.Download(ctx, "a")
			if err != nil {
				return err
			}
			_, err = io.Copy(io.Discard, r)
			return errors.Join(err, r.Close())
		},
	},
	{
		name:    "Bucket.List",
		effects: list,
		call: func(ctx context.Context, b storage.Bucket, _ *watchedBucket) error {
			return firstError(b.List(ctx))
		},
	},
	{
		name:    "Bucket.Attrs",
		effects: describe,
		call: func(ctx context.Context, b storage.Bucket, _ *watchedBucket) error {
			return lastError(b.Attrs(ctx, "a"))
		},
	},
	{
		name:    "Bucket.Exists",
		effects: describe,
		call: func(ctx context.Context, b storage.Bucket, _ *watchedBucket) error {
			return lastError(b.Exists(ctx, "a"))
		},
	},
	{
		name:    "Bucket.Remove",
		effects: remove,
		call: func(ctx context.Context, b storage.Bucket, _ *watchedBucket) error {
			return b.Remove(ctx, "a")
		},
	},
	{
		name:    "Bucket.SignedUploadURL",
		effects: sign | write,
		call: func(ctx context.Context, b storage.Bucket, _ *watchedBucket) error {
			return lastError(b.SignedUploadURL(ctx, "a"))
		},
	},
	{
		name:    "Bucket.SignedDownloadURL",
		effects: sign | read,
		call: func(ctx context.Context, b storage.Bucket, _ *watchedBucket) error {
			return lastError(b.SignedDownloadURL(ctx, "a"))
		},
	},
	{
		name:    "Bucket.PublicURL",
		effects: sign | read,
		call: func(_ context.Context, b storage.Bucket, _ *watchedBucket) error {
			return lastError(b.PublicURL("a"))
		},
	},
	{
		name:    "ReadAll",
		effects: read,
		call: func(ctx context.Context, b storage.Bucket, _ *watchedBucket) error {
			_, _, err := storage.ReadAll(ctx, b, "a")
			return err
		},
	},
	{
		name:    "ReadRanges",
		effects: read,
		call: func(ctx context.Context, b storage.Bucket, _ *watchedBucket) error {
			_, _, err := storage.ReadRanges(ctx, b, "a",
				[]storage.Range{{Offset: 0, Length: 1}, {Offset: 2, Length: 1}})
			return err
		},
	},
	{
		name:    "NewReaderAt",
		effects: read | describe,
		call: func(ctx context.Context, b storage.Bucket, _ *watchedBucket) error {
			r, err := storage.NewReaderAt(ctx, b, "a")
			if err != nil {
				return err
			}
			defer r.Close()
			_, err = r.ReadAt(make([]byte, 1), 1)
			return err
		},
	},
	{
		name:    "DownloadFile",
		effects: read,
		call: func(ctx context.Context, b storage.Bucket, watched *watchedBucket) error {
			return lastError(storage.DownloadFile(ctx, b, "a", filepath.Join(watched.dir, "downloaded")))
		},
	},
	{
		name:    "FS",
		effects: read | list | describe,
		call: func(ctx context.Context, b storage.Bucket, _ *watchedBucket) error {
			dir := storage.FS(ctx, b)
			_, readErr := fs.ReadFile(dir, "a")
			_, stat := fs.Stat(dir, "a")
			_, listed := fs.ReadDir(dir, ".")
			return errors.Join(readErr, stat, listed)
		},
	},
	{
		name:    "NewWriter",
		effects: write,
		call: func(ctx context.Context, b storage.Bucket, _ *watchedBucket) error {
			writer := storage.NewWriter(ctx, b, "n")
			_, _ = io.WriteString(writer, "x")
			return lastError(writer.Commit())
		},
	},
	{
		name:    "UploadFile",
		effects: write,
		call: func(ctx context.Context, b storage.Bucket, watched *watchedBucket) error {
			name := filepath.Join(watched.dir, "uploaded")
			if err := os.WriteFile(name, []byte("x"), 0o600); err != nil {
				return err
			}
			return lastError(storage.UploadFile(ctx, b, "n", name))
		},
	},
	{
		name:    "Append",
		effects: read | write,
		call: func(ctx context.Context, b storage.Bucket, _ *watchedBucket) error {
			return lastError(storage.Append(ctx, b, "a", []byte("x")))
		},
	},
	{
		name:    "Update",
		effects: read | write,
		call: func(ctx context.Context, b storage.Bucket, _ *watchedBucket) error {
			change := func([]byte, *storage.Attrs) ([]byte, error) { return []byte("y"), nil }
			return lastError(storage.Update(ctx, b, "a", change))
		},
	},
	{
		name:    "Copy",
		effects: read | write,
		call: func(ctx context.Context, b storage.Bucket, _ *watchedBucket) error {
			return lastError(storage.Copy(ctx, b, "n", b, "a"))
		},
	},
	{
		name:    "Compose",
		effects: read | write,
		call: func(ctx context.Context, b storage.Bucket, _ *watchedBucket) error {
			return lastError(storage.Compose(ctx, b, "n", []string{"a", "b"}))
		},
	},
	{
		name:    "Move",
		effects: read | write | remove,
		call: func(ctx context.Context, b storage.Bucket, _ *watchedBucket) error {
			return lastError(storage.Move(ctx, b, "a", "n"))
		},
	},
	{
		name:    "RemoveAll",
		effects: remove,
		call: func(ctx context.Context, b storage.Bucket, _ *watchedBucket) error {
			return lastError(storage.RemoveAll(ctx, b, slices.Values([]string{"a", "b"})))
		},
	},
	{
		name:    "RemoveVersions",
		effects: remove,
		call: func(ctx context.Context, b storage.Bucket, _ *watchedBucket) error {
			version := storage.VersionEntry{ListEntry: storage.ListEntry{Key: "a"}, Version: "1"}
			return lastError(storage.RemoveVersions(ctx, b, slices.Values([]storage.VersionEntry{version})))
		},
	},
	{
		name:    "RemoveMatching",
		effects: list | remove,
		call: func(ctx context.Context, b storage.Bucket, _ *watchedBucket) error {
			return lastError(storage.RemoveMatching(ctx, b, func(storage.ListEntry) bool { return true }))
		},
	},
	{
		name:    "ListPage",
		effects: list,
		call: func(ctx context.Context, b storage.Bucket, _ *watchedBucket) error {
			return lastError(storage.ListPage(ctx, b, ""))
		},
	},
	{
		name:    "Versions",
		effects: list,
		call: func(ctx context.Context, b storage.Bucket, _ *watchedBucket) error {
			return firstError(storage.Versions(ctx, b))
		},
	},
	{
		name:    "ListUploads",
		effects: list,
		call: func(ctx context.Context, b storage.Bucket, _ *watchedBucket) error {
			return firstError(storage.ListUploads(ctx, b))
		},
	},
	{
		name:    "Tags",
		effects: describe,
		call: func(ctx context.Context, b storage.Bucket, _ *watchedBucket) error {
			return lastError(storage.Tags(ctx, b, "a"))
		},
	},
	{
		name:    "SetTags",
		effects: write,
		call: func(ctx context.Context, b storage.Bucket, _ *watchedBucket) error {
			return storage.SetTags(ctx, b, "a", map[string]string{"k": "v"})
		},
	},
	{
		name:    "SetRetention",
		effects: write,
		call: func(ctx context.Context, b storage.Bucket, _ *watchedBucket) error {
			return storage.SetRetention(ctx, b, "a", storage.Retention{})
		},
	},
	{
		name:    "SetLegalHold",
		effects: write,
		call: func(ctx context.Context, b storage.Bucket, _ *watchedBucket) error {
			return storage.SetLegalHold(ctx, b, "a", false)
		},
	},
	{
		name:    "Restore",
		effects: write,
		call: func(ctx context.Context, b storage.Bucket, _ *watchedBucket) error {
			return storage.Restore(ctx, b, "a")
		},
	},
	{
		name:    "SignedRemoveURL",
		effects: sign | remove,
		call: func(ctx context.Context, b storage.Bucket, _ *watchedBucket) error {
			return lastError(storage.SignedRemoveURL(ctx, b, "a"))
		},
	},
	{
		name:    "SignedUploadForm",
		effects: sign | write,
		call: func(ctx context.Context, b storage.Bucket, _ *watchedBucket) error {
			return lastError(storage.SignedUploadForm(ctx, b, "a", 0, 1))
		},
	},
	{
		name:    "Vend",
		effects: vend | read | describe | remove,
		call: func(ctx context.Context, b storage.Bucket, _ *watchedBucket) error {
			return lastError(storage.Vend(ctx, b, "p/", storage.Rights{Read: true, Remove: true}, time.Hour))
		},
	},
	{
		name:    "As",
		effects: vend | read | write | remove | list | describe,
		call: func(_ context.Context, b storage.Bucket, _ *watchedBucket) error {
			if _, ok := storage.As[any](b); !ok {
				return storage.PermissionDenied
			}
			return nil
		},
	},
	{
		name:    "BeginUpload",
		effects: write,
		call: func(ctx context.Context, b storage.Bucket, _ *watchedBucket) error {
			return lastError(storage.BeginUpload(ctx, b, "n"))
		},
	},
	{
		name:    "ContinueUpload",
		effects: write,
		call: func(ctx context.Context, b storage.Bucket, watched *watchedBucket) error {
			token := "none"
			if watched.upload != nil {
				token = watched.upload.Token()
			}
			return lastError(storage.ContinueUpload(ctx, b, token))
		},
	},
	{
		name:    "ContinueListedUpload",
		effects: write,
		call: func(ctx context.Context, b storage.Bucket, _ *watchedBucket) error {
			return lastError(storage.ContinueListedUpload(ctx, b,
				storage.UploadEntry{Key: "u", Upload: "none"}))
		},
	},
	{
		name:    "AbortUpload",
		effects: write,
		call: func(ctx context.Context, b storage.Bucket, _ *watchedBucket) error {
			return storage.AbortUpload(ctx, b, storage.UploadEntry{Key: "u", Upload: "none"})
		},
	},
	{
		name:    "AbandonUpload",
		effects: write,
		call: func(ctx context.Context, b storage.Bucket, watched *watchedBucket) error {
			return storage.AbandonUpload(ctx, b, filepath.Join(watched.dir, "none"))
		},
	},
	{
		name:    "PutSignedPart",
		effects: write,
		call: func(ctx context.Context, b storage.Bucket, _ *watchedBucket) error {
			return lastError(storage.PutSignedPart(ctx, b, "u", "none", 1, strings.NewReader("x")))
		},
	},
	{
		name:    "MultipartUpload.PutPart",
		effects: write,
		call: ofUpload(func(ctx context.Context, u storage.MultipartUpload) error {
			return lastError(u.PutPart(ctx, 2, strings.NewReader("x")))
		}),
	},
	{
		name:    "MultipartUpload.SignPart",
		effects: sign | write,
		call: ofUpload(func(ctx context.Context, u storage.MultipartUpload) error {
			return lastError(u.SignPart(ctx, 2))
		}),
	},
	{
		name:    "MultipartUpload.Parts",
		effects: describe,
		call: ofUpload(func(ctx context.Context, u storage.MultipartUpload) error {
			return lastError(u.Parts(ctx))
		}),
	},
	{
		name:    "MultipartUpload.Complete",
		effects: write,
		call: ofUpload(func(ctx context.Context, u storage.MultipartUpload) error {
			return lastError(u.Complete(ctx))
		}),
	},
	{
		name:    "MultipartUpload.Abort",
		effects: write,
		call: ofUpload(func(ctx context.Context, u storage.MultipartUpload) error {
			return u.Abort(ctx)
		}),
	},
}

// errNoUpload is the error of the calls of an open upload on the store "weak", which has none.
var errNoUpload = errors.New("the store has no open uploads")

// ofUpload makes a call for watchedCalls of a function that uses the open upload.
func ofUpload(
	call func(context.Context, storage.MultipartUpload) error,
) func(context.Context, storage.Bucket, *watchedBucket) error {
	return func(ctx context.Context, _ storage.Bucket, watched *watchedBucket) error {
		if watched.upload == nil {
			return errNoUpload
		}
		return call(ctx, watched.upload)
	}
}

// requestEffects maps each method of a driver to the effects of its request. A method that is not listed only describes
// objects, or has no effect.
var requestEffects = map[string]storage.Effects{
	"Put":           write,
	"BeginParts":    write,
	"PutPart":       write,
	"CompleteParts": write,
	"AbortParts":    write,
	"Copy":          write,
	"Compose":       write,
	"Move":          write | remove,
	"SetTags":       write,
	"SetRetention":  write,
	"SetLegalHold":  write,
	"Restore":       write,
	"Get":           read,
	"Delete":        remove,
	"DeleteBatch":   remove,
	"ListVersions":  list,
	"ListUploads":   list,
	"List":          list,
	"Sign":          sign,
	"SignForm":      sign,
	"SignPart":      sign,
	"Vend":          vend,
}

// The hook sees the same effects of a call on all stores, even on one that lacks many features.
func TestHookSeesEffectsOfEachCall(t *testing.T) {
	for store := range watchedStores {
		for _, tt := range watchedCalls {
			t.Run(store+"/"+tt.name, func(t *testing.T) {
				watched := newWatchedBucket(t, store)
				watched.reset(denyNothing)
				err := tt.call(t.Context(), watched.Bucket, watched)
				if errors.Is(err, errNoUpload) {
					require.Equal(t, "weak", store, "only the weak store lacks open uploads")
					t.Skip(err)
				}

				// The call may fail for other reasons, such as a missing object, but the hook sees its effects.
				require.NotErrorIs(t, err, errDenied)
				require.Equal(t, tt.effects, watched.effects(), "%v: %v", watched.operations, err)

				// Each request to the store belongs to an operation that the hook has seen.
				watched.requireAttributed(t)
			})
		}
	}
}

// A hook that denies an effect keeps every call with that effect from reaching the driver.
func TestHookDeniesEachEffect(t *testing.T) {
	for store := range watchedStores {
		for _, tt := range watchedCalls {
			t.Run(store+"/"+tt.name, func(t *testing.T) {
				// Find out what the call returns on this store if nothing is denied.
				permitted := newWatchedBucket(t, store)
				permitted.reset(denyNothing)
				err := tt.call(t.Context(), permitted.Bucket, permitted)
				if errors.Is(err, errNoUpload) {
					require.Equal(t, "weak", store, "only the weak store lacks open uploads")
					t.Skip(err)
				}

				// Then deny each of its effects alone. No request to the store may have a denied effect.
				for _, denied := range bitsOf(tt.effects) {
					watched := newWatchedBucket(t, store)
					watched.reset(denied)
					deniedErr := tt.call(t.Context(), watched.Bucket, watched)
					watched.requireAttributed(t)
					require.NotZero(t, watched.effects()&denied)

					// A call that the library refuses anyway may fail with that error instead.
					isRefusedAnyway := err != nil && storage.CodeOf(deniedErr) == storage.CodeOf(err)
					if !isRefusedAnyway {
						require.ErrorIs(t, deniedErr, storage.PermissionDenied, "%s is denied", denied)
					}
				}
			})
		}
	}
}

// bitsOf returns each single effect of a set.
func bitsOf(set storage.Effects) (bits []storage.Effects) {
	for bit := storage.EffectRead; bit <= storage.EffectAdminister; bit <<= 1 {
		if set&bit != 0 {
			bits = append(bits, bit)
		}
	}
	return bits
}

// requireAttributed checks that each request belongs to an operation that the hook has permitted,
// and that all operations have ended.
func (watched *watchedBucket) requireAttributed(t *testing.T) {
	t.Helper()
	watched.mu.Lock()
	defer watched.mu.Unlock()
	require.Len(t, watched.outcomes, len(watched.operations), "each operation ends once")

	for _, op := range watched.operations {
		require.Contains(t, effect.Operations, op.Name)
	}

	for _, request := range watched.requests {
		require.NotEmpty(t, request.op.Name, "no hook was called for the request %s", request.call)
		require.Zero(t, request.op.Effects&watched.denied, "%s of %s", request.call, request.op.Name)
		if request.op.Name == "Move" || request.op.Name == "DeleteBucket" {
			continue
		}
		require.Zero(t, requestEffects[request.call]&watched.denied, "%s of %s", request.call,
			request.op.Name)
	}
}

// A hook also sees calls that are refused before they reach the store, because of a Ref, an invalid prefix, or a closed
// bucket.
func TestHookSeesRefusedCalls(t *testing.T) {
	// An onlyPublicURL permits no other call.
	type onlyPublicURL interface {
		PublicURL(key string) (string, error)
	}
	narrowings := map[string]func(b storage.Bucket) storage.Bucket{
		"Ref": func(b storage.Bucket) storage.Bucket {
			return storage.Ref[onlyPublicURL](b).(storage.Bucket)
		},
		"a bad prefix": func(b storage.Bucket) storage.Bucket { return storage.Prefixed(b, "../other/") },
		"closed": func(b storage.Bucket) storage.Bucket {
			_ = storage.Close(b)
			return b
		},
	}
	for reason, narrow := range narrowings {
		for _, tt := range watchedCalls {
			// Two calls are left out. As returns false for a narrowed bucket, and a MultipartUpload was begun before
			// the bucket was narrowed.
			if tt.name == "As" || strings.HasPrefix(tt.name, "MultipartUpload.") {
				continue
			}
			t.Run(reason+"/"+tt.name, func(t *testing.T) {
				watched := newWatchedBucket(t, "memory")
				narrowed := narrow(watched.Bucket)
				watched.reset(denyNothing)
				err := tt.call(t.Context(), narrowed, watched)

				// A refused call fails without a request, and the hook is told the same Code.
				isPermitted := reason == "Ref" && tt.name == "Bucket.PublicURL"
				if !isPermitted {
					require.Error(t, err)
					require.Empty(t, watched.requests)
					require.Equal(t, storage.CodeOf(err), storage.CodeOf(errors.Join(watched.outcomes...)))
				}

				// The hook has seen the call, with at least one of its effects.
				require.NotEmpty(t, watched.operations)
				require.NotZero(t, watched.effects()&tt.effects)
			})
		}
	}
}

// A hook sees a refused listing each time that the caller begins to read it, and not before.
func TestHookSeesRefusedListings(t *testing.T) {
	watched := newWatchedBucket(t, "memory")
	view := storage.Prefixed(watched.Bucket, "../other/")
	watched.reset(denyNothing)

	// The hook sees nothing before a listing is read.
	listed := view.List(t.Context(), storage.WithPrefix("a/"))
	versions := storage.Versions(t.Context(), view)
	uploads := storage.ListUploads(t.Context(), view)
	require.Empty(t, watched.operations)

	require.ErrorIs(t, firstError(listed), storage.InvalidArgument)
	require.ErrorIs(t, firstError(versions), storage.InvalidArgument)
	require.ErrorIs(t, firstError(uploads), storage.InvalidArgument)
	// The hook sees a listing again if the caller reads it again.
	require.ErrorIs(t, firstError(listed), storage.InvalidArgument)

	var calls []string
	for _, op := range watched.operations {
		calls = append(calls, op.Name+" "+op.Key)
	}
	want := []string{
		"List ../other/a/",
		"Versions ../other/",
		"ListUploads ../other/",
		"List ../other/a/",
	}
	require.Equal(t, want, calls)
}

// If the user of a view tries to reach keys outside of it, a hook sees the whole keys.
func TestHookSeesProbesThroughView(t *testing.T) {
	watched := newWatchedBucket(t, "memory")
	view := storage.Prefixed(watched.Bucket, "tenant/")

	// This upload is outside of the view.
	other, err := storage.BeginUpload(t.Context(), watched.Bucket, "other/secret")
	require.NoError(t, err)
	watched.reset(denyNothing)

	// Three calls are refused because of a key or an upload outside of the view.
	_, err = view.Download(t.Context(), "../other/secret")
	require.ErrorIs(t, err, storage.InvalidArgument)
	_, err = storage.ContinueUpload(t.Context(), view, other.Token())
	require.ErrorIs(t, err, storage.InvalidArgument)
	require.NotContains(t, err.Error(), "secret")
	_, err = storage.Move(t.Context(), view, "a", "../b")
	require.ErrorIs(t, err, storage.InvalidArgument)

	// Two calls are refused because of their options.
	_, err = view.Upload(t.Context(), "k", strings.NewReader("x"), storage.WithPartSize(-1))
	require.ErrorIs(t, err, storage.InvalidArgument)
	keep := func(old []byte, _ *storage.Attrs) ([]byte, error) { return old, nil }
	_, err = storage.Update(t.Context(), view, "u", keep, storage.IfAbsent())
	require.ErrorIs(t, err, storage.InvalidArgument)

	// The hook has seen whole keys. Each text has an operation, its key and its other keys.
	var tried []string
	for i, op := range watched.operations {
		require.ErrorIs(t, watched.outcomes[i], storage.InvalidArgument)
		call := append([]string{op.Name, op.Key}, op.Keys...)
		tried = append(tried, strings.Join(call, " "))
	}
	want := []string{
		"Download tenant/../other/secret",
		"ContinueUpload other/secret",
		"Move tenant/../b tenant/a",
		"Upload tenant/k",
		"Upload tenant/u",
	}
	require.Equal(t, want, tried)
}

// serviceCalls has a row for each method of Service that the hook sees.
var serviceCalls = map[string]struct {
	effects storage.Effects
	call    func(ctx context.Context, s storage.Service) error
}{
	"CreateBucket": {
		effects: storage.EffectAdminister,
		call: func(ctx context.Context, s storage.Service) error {
			return lastError(s.CreateBucket(ctx, "new"))
		},
	},
	"BucketInfo": {
		effects: storage.EffectAdminister | describe,
		call: func(ctx context.Context, s storage.Service) error {
			return lastError(s.BucketInfo(ctx, "old"))
		},
	},
	"UpdateBucket": {
		effects: storage.EffectAdminister,
		call: func(ctx context.Context, s storage.Service) error {
			return lastError(s.UpdateBucket(ctx, "old", storage.WithCORS()))
		},
	},
	"Buckets": {
		effects: storage.EffectAdminister | list,
		call: func(ctx context.Context, s storage.Service) error {
			return firstError(s.Buckets(ctx))
		},
	},
	"DeleteBucket": {
		effects: storage.EffectAdminister | remove,
		call: func(ctx context.Context, s storage.Service) error {
			return s.DeleteBucket(ctx, "old")
		},
	},
	"Credentials": {
		effects: storage.EffectAdminister | vend | read | write | remove | list | describe,
		call: func(ctx context.Context, s storage.Service) error {
			return lastError(s.Credentials(ctx, "old"))
		},
	},
}

// The table serviceCalls has each method of Service, except Bucket and Close, which a hook does not see.
func TestServiceCallsHaveEachMethod(t *testing.T) {
	methods := reflect.TypeFor[storage.Service]()
	for i := range methods.NumMethod() {
		name := methods.Method(i).Name
		if name != "Bucket" && name != "Close" {
			require.Contains(t, serviceCalls, name)
		}
	}
}

// A hook sees the effects of each operation of a Service, and can deny each of them.
func TestHookSeesService(t *testing.T) {
	for name, tt := range serviceCalls {
		// Deny each effect alone.
		allEffects := ^storage.Effects(0)
		for _, denied := range bitsOf(allEffects) {
			t.Run(name+"/"+denied.String(), func(t *testing.T) {
				watched := &watchedBucket{}
				service := memstore.NewService(memstore.ServiceConfig{}, storage.WithHook(watched.hook))
				_, err := service.CreateBucket(t.Context(), "old")
				require.NoError(t, err)

				// The call is denied if it has the denied effect, and only then.
				watched.reset(denied)
				err = tt.call(t.Context(), service)
				require.Equal(t, tt.effects, watched.effects())
				hasDeniedEffect := tt.effects&denied != 0
				require.Equal(t, hasDeniedEffect, errors.Is(err, storage.PermissionDenied), "%v", err)
			})
		}
	}
}

// The table in docs/hooks.md lists each operation with its effects.
func TestEffectsPageListsOperations(t *testing.T) {
	page, err := os.ReadFile("docs/hooks.md")
	require.NoError(t, err)

	// A row of the table is, for example, | read, list | `Update` `Append` |.
	row := regexp.MustCompile("(?m)^\\| ([a-z, ]+) \\| (`.+`) \\|$")
	listed := map[string]storage.Effects{}
	for _, columns := range row.FindAllStringSubmatch(string(page), -1) {
		effects := parseEffects(columns[1])
		require.Equal(t, columns[1], effects.String())
		operations := strings.ReplaceAll(columns[2], "`", "")
		for _, name := range strings.Fields(operations) {
			listed[name] = effects
		}
	}

	// The page must list all operations, with the effects that the library uses.
	want := map[string]storage.Effects{}
	for name, set := range effect.Operations {
		want[name] = storage.Effects(set)
	}
	require.Equal(t, want, listed)
}

// parseEffects returns the effects with the names, such as "read, list". Other names count for nothing.
func parseEffects(names string) (effects storage.Effects) {
	everything := ^storage.Effects(0)
	for _, bit := range bitsOf(everything) {
		if slices.Contains(strings.Split(names, ", "), bit.String()) {
			effects |= bit
		}
	}
	return effects
}

// Each function that takes a bucket has a row in watchedCalls, which tests what its hooks see, or a reason why it needs
// none.
func TestEffectsOfEachFunction(t *testing.T) {
	// These functions need no row, for the given reason.
	covered := map[string]string{
		"Close":    "it ends the bucket",
		"Prefixed": "a view has the hooks of its bucket",
		"Ref":      "a view has the hooks of its bucket",
		"Require":  "it reads what the bucket was opened with",
		"Supports": "it reads what the bucket was opened with",
		"Wrap":     "the result has the hooks of its bucket",
	}
	for _, tt := range watchedCalls {
		covered[tt.name] = "it has a row"
	}

	// The methods that take a context, and PublicURL, have rows.
	for _, typ := range []reflect.Type{reflect.TypeFor[storage.Bucket](), reflect.TypeFor[storage.MultipartUpload]()} {
		for i := range typ.NumMethod() {
			method := typ.Method(i)
			takesContext := method.Type.NumIn() > 0 && method.Type.In(0) == reflect.TypeFor[context.Context]()
			if takesContext || method.Name == "PublicURL" {
				require.Contains(t, covered, typ.Name()+"."+method.Name)
			}
		}
	}

	// The search for functions must find some that are known.
	names := functionsOfBuckets(t)
	require.Subset(t, names, []string{"ReadAll", "Copy", "As", "Update", "Supports"})
	for _, name := range names {
		require.Contains(t, covered, name, "the exported function %s takes a bucket and has no row", name)
	}
}

// functionsOfBuckets returns the exported functions of this package with a parameter that can be a
// bucket: one of its interfaces, an interface with some of them, or any value with the name b.
func functionsOfBuckets(t *testing.T) []string {
	t.Helper()
	interfaces := bucketInterfaces(t)
	names := map[string]bool{}
	for _, function := range declarations(t, ".") {
		if function.Recv != nil {
			continue
		}
		for _, param := range function.Type.Params.List {
			if takesBucket(param, interfaces) {
				names[function.Name.Name] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(names))
}

// takesBucket reports whether a parameter can be a bucket.
func takesBucket(param *ast.Field, interfaces map[string]bool) bool {
	if _, ok := param.Type.(*ast.InterfaceType); ok {
		return true
	}
	name, ok := param.Type.(*ast.Ident)
	if !ok {
		return false
	}
	if name.Name == "any" {
		return len(param.Names) > 0 && param.Names[0].Name == "b"
	}
	return interfaces[name.Name]
}

// bucketInterfaces returns the names of the interfaces of this package, except Core, that have a method of Bucket
// or embed an interface that has one.
func bucketInterfaces(t *testing.T) map[string]bool {
	t.Helper()
	bucket := reflect.TypeFor[storage.Bucket]()
	interfaces := map[string]bool{}
	embedded := map[string][]string{} // the names of the interfaces that an interface embeds
	for name, iface := range interfacesOfPackage(t) {
		for _, field := range iface.Methods.List {
			if part, ok := field.Type.(*ast.Ident); ok {
				embedded[name] = append(embedded[name], part.Name)
			}
			for _, method := range field.Names {
				if _, ok := bucket.MethodByName(method.Name); ok && name != "Core" {
					interfaces[name] = true
				}
			}
		}
	}

	for name, parts := range embedded {
		for _, part := range parts {
			if interfaces[part] {
				interfaces[name] = true
			}
		}
	}
	return interfaces
}

// interfacesOfPackage returns the declarations of interfaces in this package by their names, without those of tests.
func interfacesOfPackage(t *testing.T) map[string]*ast.InterfaceType {
	t.Helper()
	files, err := filepath.Glob("*.go")
	require.NoError(t, err)
	interfaces := map[string]*ast.InterfaceType{}
	for _, path := range files {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		require.NoError(t, err)
		ast.Inspect(file, func(n ast.Node) bool {
			if spec, ok := n.(*ast.TypeSpec); ok {
				if iface, ok := spec.Type.(*ast.InterfaceType); ok {
					interfaces[spec.Name.Name] = iface
				}
			}
			return true
		})
	}
	return interfaces
}

// firstError reads a listing to its end or to its first error, and returns that error.
func firstError[E any](listing iter.Seq2[E, error]) error {
	for _, err := range listing {
		if err != nil {
			return err
		}
	}
	return nil
}
