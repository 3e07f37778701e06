package storage_test

import (
	"context"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
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

// A watched bucket has a hook that denies some effects, and a layer that sees what reaches the
// driver.
type watched struct {
	storage.Bucket
	upload storage.MultipartUpload // nil if the store has no open uploads
	dir    string

	mu       sync.Mutex
	deny     storage.Effects
	seen     []storage.Operation
	outcomes []error
	requests []watchedRequest
}

// A watchedRequest is a call of the driver, and the operation that it belongs to.
type watchedRequest struct {
	call string
	op   storage.Operation
}

var errDenied = errors.New("denied by the test")

type operationKey struct{}

func (w *watched) hook(ctx context.Context, op storage.Operation) (context.Context, func(storage.Outcome), error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.seen = append(w.seen, op)
	end := func(outcome storage.Outcome) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.outcomes = append(w.outcomes, outcome.Err)
	}
	if op.Effects&w.deny != 0 {
		return nil, end, errDenied
	}
	return context.WithValue(ctx, operationKey{}, op), end, nil
}

func (w *watched) options() []storage.OpenOption {
	watch := func(d driver.Driver) driver.Driver {
		return driver.Intercept(d, func(ctx context.Context, call string, next func(context.Context) error) error {
			w.mu.Lock()
			op, _ := ctx.Value(operationKey{}).(storage.Operation)
			w.requests = append(w.requests, watchedRequest{call, op})
			w.mu.Unlock()
			return next(ctx)
		})
	}
	return []storage.OpenOption{
		storage.WithHook(w.hook), driver.WithLayer(watch), storage.WithSigningBaseURL("http://127.0.0.1/x"),
		storage.WithPublicAccess(true), storage.WithVersioning(true), storage.WithObjectLock(),
	}
}

// begin denies the given effects from now on, and forgets what was seen.
func (w *watched) begin(deny storage.Effects) {
	w.deny = deny
	w.seen = nil
	w.outcomes = nil
	w.requests = nil
}

// effects returns the effects of all operations that the hook has seen.
func (w *watched) effects() (all storage.Effects) {
	for _, op := range w.seen {
		all |= op.Effects
	}
	return all
}

// watchedStores opens a bucket with two objects and an open upload, on different stores.
var watchedStores = map[string]func(t *testing.T, w *watched) storage.Bucket{
	"memory": func(_ *testing.T, w *watched) storage.Bucket { return memstore.New(w.options()...) },
	"directory": func(t *testing.T, w *watched) storage.Bucket {
		b, err := local.Open(t.TempDir(), local.Config{NoSync: true}, w.options()...)
		require.NoError(t, err)
		return b
	},
	"weak": func(_ *testing.T, w *watched) storage.Bucket {
		keep := storage.OrderedListing | storage.LeadingSlashes | storage.KeysBesideFolders | storage.Versioning |
			storage.ObjectLock | storage.ConditionalCreate | storage.ConditionalUpdate
		weak := driver.WithLayer(faults.WithLimits(faults.Limits{Disable: ^keep, MaxBatch: -1}))
		return memstore.New(append([]storage.OpenOption{weak}, w.options()...)...)
	},
}

func openWatched(t *testing.T, store string) *watched {
	t.Helper()
	w := &watched{dir: t.TempDir()}
	w.Bucket = watchedStores[store](t, w)
	t.Cleanup(func() { _ = storage.Close(w.Bucket) })
	for _, key := range []string{"a", "b"} {
		_, err := w.Upload(t.Context(), key, strings.NewReader("text"))
		require.NoError(t, err)
	}
	u, err := storage.BeginUpload(t.Context(), w.Bucket, "u", storage.WithUncheckedParts())
	if err == nil {
		w.upload = u
		_, err = u.PutPart(t.Context(), 1, strings.NewReader("part"))
	}
	if err != nil {
		require.ErrorIs(t, err, storage.Unsupported)
	}
	return w
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

// watchedCalls has all methods and functions that take a bucket and reach it. The hook sees exactly
// the effects of the row.
var watchedCalls = []struct {
	name    string
	effects storage.Effects
	call    func(ctx context.Context, b storage.Bucket, w *watched) error
}{
	{"Bucket.Upload", write, func(ctx context.Context, b storage.Bucket, _ *watched) error {
		return lastError(b.Upload(ctx, "n", strings.NewReader("x")))
	}},
	{"Bucket.Download", read, func(ctx context.Context, b storage.Bucket, _ *watched) error {
		r, err := b.Download(ctx, "a")
		if err != nil {
			return err
		}
		_, err = io.Copy(io.Discard, r)
		return errors.Join(err, r.Close())
	}},
	{"Bucket.List", list, func(ctx context.Context, b storage.Bucket, _ *watched) error {
		return eachError(b.List(ctx))
	}},
	{"Bucket.Attrs", describe, func(ctx context.Context, b storage.Bucket, _ *watched) error {
		return lastError(b.Attrs(ctx, "a"))
	}},
	{"Bucket.Exists", describe, func(ctx context.Context, b storage.Bucket, _ *watched) error {
		return lastError(b.Exists(ctx, "a"))
	}},
	{"Bucket.Remove", remove, func(ctx context.Context, b storage.Bucket, _ *watched) error {
		return b.Remove(ctx, "a")
	}},
	{"Bucket.SignedUploadURL", sign | write, func(ctx context.Context, b storage.Bucket, _ *watched) error {
		return lastError(b.SignedUploadURL(ctx, "a"))
	}},
	{"Bucket.SignedDownloadURL", sign | read, func(ctx context.Context, b storage.Bucket, _ *watched) error {
		return lastError(b.SignedDownloadURL(ctx, "a"))
	}},
	{"Bucket.PublicURL", sign | read, func(_ context.Context, b storage.Bucket, _ *watched) error {
		return lastError(b.PublicURL("a"))
	}},
	{"ReadAll", read, func(ctx context.Context, b storage.Bucket, _ *watched) error {
		_, _, err := storage.ReadAll(ctx, b, "a")
		return err
	}},
	{"ReadRanges", read, func(ctx context.Context, b storage.Bucket, _ *watched) error {
		_, _, err := storage.ReadRanges(ctx, b, "a",
			[]storage.Range{{Offset: 0, Length: 1}, {Offset: 2, Length: 1}})
		return err
	}},
	{"NewReaderAt", read | describe, func(ctx context.Context, b storage.Bucket, _ *watched) error {
		r, err := storage.NewReaderAt(ctx, b, "a")
		if err != nil {
			return err
		}
		defer r.Close()
		_, err = r.ReadAt(make([]byte, 1), 1)
		return err
	}},
	{"DownloadFile", read, func(ctx context.Context, b storage.Bucket, w *watched) error {
		return lastError(storage.DownloadFile(ctx, b, "a", filepath.Join(w.dir, "downloaded")))
	}},
	{"FS", read | list | describe, func(ctx context.Context, b storage.Bucket, _ *watched) error {
		dir := storage.FS(ctx, b)
		_, readErr := fs.ReadFile(dir, "a")
		_, stat := fs.Stat(dir, "a")
		_, listed := fs.ReadDir(dir, ".")
		return errors.Join(readErr, stat, listed)
	}},
	{"NewWriter", write, func(ctx context.Context, b storage.Bucket, _ *watched) error {
		w := storage.NewWriter(ctx, b, "n")
		_, _ = io.WriteString(w, "x")
		return lastError(w.Commit())
	}},
	{"UploadFile", write, func(ctx context.Context, b storage.Bucket, w *watched) error {
		name := filepath.Join(w.dir, "uploaded")
		if err := os.WriteFile(name, []byte("x"), 0o600); err != nil {
			return err
		}
		return lastError(storage.UploadFile(ctx, b, "n", name))
	}},
	{"Append", read | write, func(ctx context.Context, b storage.Bucket, _ *watched) error {
		return lastError(storage.Append(ctx, b, "a", []byte("x")))
	}},
	{"Update", read | write, func(ctx context.Context, b storage.Bucket, _ *watched) error {
		change := func([]byte, *storage.Attrs) ([]byte, error) { return []byte("y"), nil }
		return lastError(storage.Update(ctx, b, "a", change))
	}},
	{"Copy", read | write, func(ctx context.Context, b storage.Bucket, _ *watched) error {
		return lastError(storage.Copy(ctx, b, "n", b, "a"))
	}},
	{"Compose", read | write, func(ctx context.Context, b storage.Bucket, _ *watched) error {
		return lastError(storage.Compose(ctx, b, "n", []string{"a", "b"}))
	}},
	{"Move", read | write | remove, func(ctx context.Context, b storage.Bucket, _ *watched) error {
		return lastError(storage.Move(ctx, b, "a", "n"))
	}},
	{"RemoveAll", remove, func(ctx context.Context, b storage.Bucket, _ *watched) error {
		return lastError(storage.RemoveAll(ctx, b, slices.Values([]string{"a", "b"})))
	}},
	{"RemoveVersions", remove, func(ctx context.Context, b storage.Bucket, _ *watched) error {
		version := storage.VersionEntry{ListEntry: storage.ListEntry{Key: "a"}, Version: "1"}
		return lastError(storage.RemoveVersions(ctx, b, slices.Values([]storage.VersionEntry{version})))
	}},
	{"RemoveMatching", list | remove, func(ctx context.Context, b storage.Bucket, _ *watched) error {
		return lastError(storage.RemoveMatching(ctx, b, func(storage.ListEntry) bool { return true }))
	}},
	{"ListPage", list, func(ctx context.Context, b storage.Bucket, _ *watched) error {
		return lastError(storage.ListPage(ctx, b, ""))
	}},
	{"Versions", list, func(ctx context.Context, b storage.Bucket, _ *watched) error {
		return eachError(storage.Versions(ctx, b))
	}},
	{"ListUploads", list, func(ctx context.Context, b storage.Bucket, _ *watched) error {
		return eachError(storage.ListUploads(ctx, b))
	}},
	{"Tags", describe, func(ctx context.Context, b storage.Bucket, _ *watched) error {
		return lastError(storage.Tags(ctx, b, "a"))
	}},
	{"SetTags", write, func(ctx context.Context, b storage.Bucket, _ *watched) error {
		return storage.SetTags(ctx, b, "a", map[string]string{"k": "v"})
	}},
	{"SetRetention", write, func(ctx context.Context, b storage.Bucket, _ *watched) error {
		return storage.SetRetention(ctx, b, "a", storage.Retention{})
	}},
	{"SetLegalHold", write, func(ctx context.Context, b storage.Bucket, _ *watched) error {
		return storage.SetLegalHold(ctx, b, "a", false)
	}},
	{"Restore", write, func(ctx context.Context, b storage.Bucket, _ *watched) error {
		return storage.Restore(ctx, b, "a")
	}},
	{"SignedRemoveURL", sign | remove, func(ctx context.Context, b storage.Bucket, _ *watched) error {
		return lastError(storage.SignedRemoveURL(ctx, b, "a"))
	}},
	{"SignedUploadForm", sign | write, func(ctx context.Context, b storage.Bucket, _ *watched) error {
		return lastError(storage.SignedUploadForm(ctx, b, "a", 0, 1))
	}},
	{"Vend", vend | read | describe | remove, func(ctx context.Context, b storage.Bucket, _ *watched) error {
		return lastError(storage.Vend(ctx, b, "p/", storage.Rights{Read: true, Remove: true}, time.Hour))
	}},
	{"As", vend | read | write | remove | list | describe, func(_ context.Context, b storage.Bucket, _ *watched) error {
		if _, ok := storage.As[any](b); !ok {
			return storage.PermissionDenied
		}
		return nil
	}},
	{"BeginUpload", write, func(ctx context.Context, b storage.Bucket, _ *watched) error {
		return lastError(storage.BeginUpload(ctx, b, "n"))
	}},
	{"ContinueUpload", write, func(ctx context.Context, b storage.Bucket, w *watched) error {
		token := "none"
		if w.upload != nil {
			token = w.upload.Token()
		}
		return lastError(storage.ContinueUpload(ctx, b, token))
	}},
	{"ContinueListedUpload", write, func(ctx context.Context, b storage.Bucket, _ *watched) error {
		return lastError(storage.ContinueListedUpload(ctx, b, storage.UploadEntry{Key: "u", Upload: "none"}))
	}},
	{"AbortUpload", write, func(ctx context.Context, b storage.Bucket, _ *watched) error {
		return storage.AbortUpload(ctx, b, storage.UploadEntry{Key: "u", Upload: "none"})
	}},
	{"AbandonUpload", write, func(ctx context.Context, b storage.Bucket, w *watched) error {
		return storage.AbandonUpload(ctx, b, filepath.Join(w.dir, "none"))
	}},
	{"PutSignedPart", write, func(ctx context.Context, b storage.Bucket, _ *watched) error {
		return lastError(storage.PutSignedPart(ctx, b, "u", "none", 1, strings.NewReader("x")))
	}},
	{"MultipartUpload.PutPart", write, ofUpload(func(ctx context.Context, u storage.MultipartUpload) error {
		return lastError(u.PutPart(ctx, 2, strings.NewReader("x")))
	})},
	{"MultipartUpload.SignPart", sign | write, ofUpload(func(ctx context.Context, u storage.MultipartUpload) error {
		return lastError(u.SignPart(ctx, 2))
	})},
	{"MultipartUpload.Parts", describe, ofUpload(func(ctx context.Context, u storage.MultipartUpload) error {
		return lastError(u.Parts(ctx))
	})},
	{"MultipartUpload.Complete", write, ofUpload(func(ctx context.Context, u storage.MultipartUpload) error {
		return lastError(u.Complete(ctx))
	})},
	{"MultipartUpload.Abort", write, ofUpload(func(ctx context.Context, u storage.MultipartUpload) error {
		return u.Abort(ctx)
	})},
}

var errNoUpload = errors.New("the store has no open uploads")

func ofUpload(
	call func(context.Context, storage.MultipartUpload) error,
) func(context.Context, storage.Bucket, *watched) error {
	return func(ctx context.Context, _ storage.Bucket, w *watched) error {
		if w.upload == nil {
			return errNoUpload
		}
		return call(ctx, w.upload)
	}
}

// eachError reads a listing to its end, and returns its error.
func eachError[E any](listing func(func(E, error) bool)) (failed error) {
	listing(func(_ E, err error) bool {
		failed = err
		return err == nil
	})
	return failed
}

// requestEffects has what a method of a driver does. Other operations may describe objects, too.
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

// If a hook denies an effect, no call with that effect reaches the driver. Names and effects of operations are the
// same on all stores.
func TestHookDeniesEachEffect(t *testing.T) {
	for store := range watchedStores {
		for _, tt := range watchedCalls {
			t.Run(store+"/"+tt.name, func(t *testing.T) {
				w := openWatched(t, store)
				w.begin(0)
				err := tt.call(t.Context(), w.Bucket, w)
				if errors.Is(err, errNoUpload) {
					require.Equal(t, "weak", store)
					t.Skip(err)
				}

				require.NotErrorIs(t, err, errDenied)
				require.Equal(t, tt.effects, w.effects(), "%v: %v", w.seen, err)
				w.requireAttributed(t)

				for one := storage.EffectRead; one <= storage.EffectAdminister; one <<= 1 {
					if tt.effects&one == 0 {
						continue
					}
					w := openWatched(t, store)
					w.begin(one)

					denied := tt.call(t.Context(), w.Bucket, w)
					w.requireAttributed(t)
					require.NotZero(t, w.effects()&one)

					if err == nil || errors.Is(denied, storage.PermissionDenied) {
						require.ErrorIs(t, denied, storage.PermissionDenied, "%s is denied", one)
						continue
					}
					require.Equal(t, storage.CodeOf(err), storage.CodeOf(denied),
						"the library refuses the call anyway")
				}
			})
		}
	}
}

// requireAttributed checks that each request belongs to an operation that the hook has permitted,
// and that all operations have ended.
func (w *watched) requireAttributed(t *testing.T) {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	require.Len(t, w.outcomes, len(w.seen), "each operation ends once")

	for _, op := range w.seen {
		require.Contains(t, effect.Operations, op.Name)
	}

	for _, request := range w.requests {
		require.NotEmpty(t, request.op.Name, "no hook was called for the request %s", request.call)
		require.Zero(t, request.op.Effects&w.deny, "%s of %s", request.call, request.op.Name)
		if request.op.Name == "Move" || request.op.Name == "DeleteBucket" {
			continue
		}
		require.Zero(t, requestEffects[request.call]&w.deny, "%s of %s", request.call, request.op.Name)
	}
}

// A hook also sees calls that are refused before they reach the store: by Ref, a bad prefix, or a closed bucket.
func TestHookSeesRefusedCalls(t *testing.T) {
	narrowed := map[string]func(b storage.Bucket) storage.Bucket{
		"Ref": func(b storage.Bucket) storage.Bucket {
			return storage.Ref[interface {
				PublicURL(key string) (string, error)
			}](b).(storage.Bucket)
		},
		"a bad prefix": func(b storage.Bucket) storage.Bucket { return storage.Prefixed(b, "../other/") },
		"closed": func(b storage.Bucket) storage.Bucket {
			_ = storage.Close(b)
			return b
		},
	}
	for how, narrow := range narrowed {
		for _, tt := range watchedCalls {
			if tt.name == "As" || strings.HasPrefix(tt.name, "MultipartUpload.") {
				continue // As returns false for a part of a bucket, and makes no request
			}
			t.Run(how+"/"+tt.name, func(t *testing.T) {
				w := openWatched(t, "memory")
				b := narrow(w.Bucket)
				w.begin(0)
				err := tt.call(t.Context(), b, w)
				if how != "Ref" || tt.name != "Bucket.PublicURL" {
					require.Error(t, err)
					require.Empty(t, w.requests)
					require.Equal(t, storage.CodeOf(err), storage.CodeOf(errors.Join(w.outcomes...)))
				}
				require.NotEmpty(t, w.seen)
				require.NotZero(t, w.effects()&tt.effects)
			})
		}
	}
}

// If a listing is refused, a hook sees it each time that the caller begins to read it.
func TestHookSeesRefusedListings(t *testing.T) {
	w := openWatched(t, "memory")
	view := storage.Prefixed(w.Bucket, "../other/")
	w.begin(0)
	listed := view.List(t.Context(), storage.WithPrefix("a/"))
	versions := storage.Versions(t.Context(), view)

	uploads := storage.ListUploads(t.Context(), view)
	require.Empty(t, w.seen)
	require.ErrorIs(t, eachError(listed), storage.InvalidArgument)
	require.ErrorIs(t, eachError(versions), storage.InvalidArgument)
	require.ErrorIs(t, eachError(uploads), storage.InvalidArgument)
	require.ErrorIs(t, eachError(listed), storage.InvalidArgument)

	var calls []string
	for _, op := range w.seen {
		calls = append(calls, op.Name+" "+op.Key)
	}
	require.Equal(t, []string{"List ../other/a/", "Versions ../other/", "ListUploads ../other/", "List ../other/a/"}, calls)
}

// If a tenant with a view asks for keys of others, the audit hook sees the whole keys.
func TestHookSeesProbesThroughView(t *testing.T) {
	w := openWatched(t, "memory")
	view := storage.Prefixed(w.Bucket, "tenant/")
	other, err := storage.BeginUpload(t.Context(), w.Bucket, "other/secret")
	require.NoError(t, err)
	w.begin(0)

	_, err = view.Download(t.Context(), "../other/secret")
	require.ErrorIs(t, err, storage.InvalidArgument)
	_, err = view.Upload(t.Context(), "k", strings.NewReader("x"), storage.WithPartSize(-1))
	require.ErrorIs(t, err, storage.InvalidArgument)

	_, err = storage.ContinueUpload(t.Context(), view, other.Token())
	require.ErrorIs(t, err, storage.InvalidArgument)
	require.NotContains(t, err.Error(), "secret")

	_, err = storage.Move(t.Context(), view, "a", "../b")
	require.ErrorIs(t, err, storage.InvalidArgument)
	keep := func(old []byte, _ *storage.Attrs) ([]byte, error) { return old, nil }
	_, err = storage.Update(t.Context(), view, "u", keep, storage.IfAbsent())
	require.ErrorIs(t, err, storage.InvalidArgument)

	var tried []string
	for i, op := range w.seen {
		require.ErrorIs(t, w.outcomes[i], storage.InvalidArgument)
		tried = append(tried, op.Name+" "+op.Key+" "+strings.Join(op.Keys, " "))
	}
	require.Equal(t, []string{
		"Download tenant/../other/secret ", "Upload tenant/k ", "ContinueUpload other/secret ",
		"Move tenant/../b tenant/a", "Upload tenant/u ",
	}, tried)
}

// A hook sees the effects of each operation of a Service, and can deny each of them. Bucket and Close are not
// checked.
func TestHookSeesService(t *testing.T) {
	administer := storage.EffectAdminister
	calls := map[string]struct {
		effects storage.Effects
		call    func(ctx context.Context, s storage.Service) error
	}{
		"CreateBucket": {administer, func(ctx context.Context, s storage.Service) error {
			return lastError(s.CreateBucket(ctx, "new"))
		}},
		"BucketInfo": {administer | describe, func(ctx context.Context, s storage.Service) error {
			return lastError(s.BucketInfo(ctx, "old"))
		}},
		"UpdateBucket": {administer, func(ctx context.Context, s storage.Service) error {
			return lastError(s.UpdateBucket(ctx, "old", storage.WithCORS()))
		}},
		"Buckets": {administer | list, func(ctx context.Context, s storage.Service) error {
			return eachError(s.Buckets(ctx))
		}},
		"DeleteBucket": {administer | remove, func(ctx context.Context, s storage.Service) error {
			return s.DeleteBucket(ctx, "old")
		}},
		"Credentials": {administer | vend | read | write | remove | list | describe,
			func(ctx context.Context, s storage.Service) error { return lastError(s.Credentials(ctx, "old")) }},
	}
	methods := reflect.TypeFor[storage.Service]()
	for i := range methods.NumMethod() {
		name := methods.Method(i).Name
		if name == "Bucket" || name == "Close" {
			continue
		}
		tt, ok := calls[name]
		require.True(t, ok, "Service.%s needs a row", name)

		for one := storage.EffectRead; one <= storage.EffectAdminister; one <<= 1 {
			w := &watched{}
			s := memstore.NewService(memstore.ServiceConfig{}, storage.WithHook(w.hook))
			_, err := s.CreateBucket(t.Context(), "old")
			require.NoError(t, err)
			w.begin(one)

			err = tt.call(t.Context(), s)
			require.Equal(t, tt.effects, w.effects(), name)
			require.Equal(t, tt.effects&one != 0, errors.Is(err, storage.PermissionDenied),
				"%s: %v", name, err)
		}
	}
}

// The page about effects lists each operation with its effects.
func TestEffectsPageListsOperations(t *testing.T) {
	page, err := os.ReadFile("docs/hooks.md")
	require.NoError(t, err)
	listed := map[string]storage.Effects{}
	row := regexp.MustCompile("(?m)^\\| ([a-z, ]+) \\| (`.+`) \\|$")

	for _, names := range row.FindAllStringSubmatch(string(page), -1) {
		effects := storage.Effects(0)
		for one := storage.EffectRead; one <= storage.EffectAdminister; one <<= 1 {
			if slices.Contains(strings.Split(names[1], ", "), one.String()) {
				effects |= one
			}
		}
		require.Equal(t, names[1], effects.String())
		for _, name := range strings.Fields(strings.ReplaceAll(names[2], "`", "")) {
			listed[name] = effects
		}
	}

	want := map[string]storage.Effects{}
	for name, set := range effect.Operations {
		want[name] = storage.Effects(set)
	}
	require.Equal(t, want, listed)
}

// Each function that takes a bucket has a row, or a reason why it needs none.
func TestEffectsOfEachFunction(t *testing.T) {
	rows := map[string]string{
		"Close":    "it ends the bucket",
		"Prefixed": "a view has the hooks of its bucket",
		"Ref":      "a view has the hooks of its bucket",
		"Require":  "it reads what the bucket was opened with",
		"Supports": "it reads what the bucket was opened with",
		"Wrap":     "the result has the hooks of its bucket",
	}
	for _, tt := range watchedCalls {
		rows[tt.name] = tt.name
	}

	for _, typ := range []reflect.Type{reflect.TypeFor[storage.Bucket](), reflect.TypeFor[storage.MultipartUpload]()} {
		for i := range typ.NumMethod() {
			m := typ.Method(i)
			takesContext := m.Type.NumIn() > 0 && m.Type.In(0) == reflect.TypeFor[context.Context]()
			if takesContext || m.Name == "PublicURL" {
				require.Contains(t, rows, typ.Name()+"."+m.Name)
			}
		}
	}

	names := functionsOfBuckets(t)
	require.Subset(t, names, []string{"ReadAll", "Copy", "As", "Update", "Supports"}, "the search finds functions")
	for _, name := range names {
		require.Contains(t, rows, name, "the exported function %s takes a bucket and has no row", name)
	}
}

// functionsOfBuckets returns the exported functions of this package with a parameter that can be a
// bucket: one of its interfaces, an interface with some of them, or any value with the name b.
func functionsOfBuckets(t *testing.T) []string {
	t.Helper()
	bucket := reflect.TypeFor[storage.Bucket]()
	files, err := filepath.Glob("*.go")
	require.NoError(t, err)
	interfaces := map[string]bool{}
	parts := map[string][]string{} // the interfaces that an interface embeds
	var functions []*ast.FuncDecl
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		require.NoError(t, err)
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.FuncDecl:
				if n.Recv == nil && n.Name.IsExported() {
					functions = append(functions, n)
				}
			case *ast.TypeSpec:
				if iface, ok := n.Type.(*ast.InterfaceType); ok {
					for _, m := range iface.Methods.List {
						if embedded, ok := m.Type.(*ast.Ident); ok {
							parts[n.Name.Name] = append(parts[n.Name.Name], embedded.Name)
						}
						for _, method := range m.Names {
							_, isOwn := bucket.MethodByName(method.Name)
							interfaces[n.Name.Name] = interfaces[n.Name.Name] || isOwn && n.Name.Name != "Core"
						}
					}
				}
			}
			return true
		})
	}
	for name, embedded := range parts {
		interfaces[name] = interfaces[name] || slices.ContainsFunc(embedded, func(part string) bool { return interfaces[part] })
	}
	names := map[string]bool{}
	for _, f := range functions {
		for _, p := range f.Type.Params.List {
			switch of := p.Type.(type) {
			case *ast.InterfaceType:
				names[f.Name.Name] = true
			case *ast.Ident:
				if interfaces[of.Name] || of.Name == "any" && len(p.Names) > 0 && p.Names[0].Name == "b" {
					names[f.Name.Name] = true
				}
			}
		}
	}
	return slices.Sorted(maps.Keys(names))
}
