package console

import (
	"context"
	"net/http"
	"strings"
	"sync"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/objectkey"
	"github.com/omnibucket/storage/internal/running"
	"github.com/omnibucket/storage/transfer"
)

// atOnce is the number of objects that one request changes at the same time.
const atOnce = 8

// move renames an object or a folder, and never replaces another object.
func (h *Handler) move(r *http.Request) (any, error) {
	var params struct {
		Bucket, From, To, Revision string
		Merge                      bool
	}
	if err := decodeBody(r, &params); err != nil {
		return nil, err
	}
	b, _, err := h.source.Bucket(r.Context(), params.Bucket)
	if err != nil {
		return nil, err
	}

	isFolder, err := areFolders(params.From, params.To)
	if err != nil {
		return nil, err
	}
	if isFolder {
		return moveFolder(r.Context(), b, params.From, params.To, params.Merge)
	}

	// The object may have changed since the page showed it.
	if err := requireUnchanged(r.Context(), b, params.From, params.Revision); err != nil {
		return nil, err
	}
	opts, err := copyCreateOptions(r.Context(), b, params.To)
	if err != nil {
		return nil, err
	}

	_, err = storage.Move(r.Context(), b, params.From, params.To, opts...)
	if err != nil {
		return nil, err
	}
	return changes{Moved: 1, Failed: []failureView{}}, nil
}

// areFolders reports whether both names are those of folders, and fails if only one is.
func areFolders(from, to string) (bool, error) {
	isFolder := strings.HasSuffix(from, "/")
	if isFolder != strings.HasSuffix(to, "/") {
		return false, invalidArgument("from and to", "must both be objects, or both folders that end in /")
	}
	return isFolder, nil
}

// copyCreateOptions returns the options of a copy that must not replace an object. If the store cannot
// check that, copyCreateOptions fails with PreconditionFailed if the object exists now.
func copyCreateOptions(ctx context.Context, b storage.Bucket, key string) ([]storage.CopyOption, error) {
	if storage.Supports(b, storage.ConditionalCreate) {
		return []storage.CopyOption{storage.IfAbsent()}, nil
	}
	return nil, requireAbsent(ctx, b, key)
}

// changes is the result of a request that changes several objects.
type changes struct {
	Moved  int64         `json:"moved"`
	Failed []failureView `json:"failed"`
}

// requireUnchanged fails with Changed if an object does not have the revision that the page has shown.
// It checks nothing if revision is "".
func requireUnchanged(ctx context.Context, b storage.AttrsReader, key, revision string) error {
	if revision == "" {
		return nil
	}

	attrs, err := b.Attrs(ctx, key)
	if err != nil {
		return err
	}
	if attrs.Revision != revision {
		return &storage.Error{
			Code: storage.Changed,
			Key:  key,
			Hint: "somebody has replaced the object: look at it again",
		}
	}
	return nil
}

// requireAbsent fails with PreconditionFailed if an object exists. It is for stores without conditional
// writes, where another writer may still create the object after the check.
func requireAbsent(ctx context.Context, b storage.AttrsReader, key string) error {
	exists, err := b.Exists(ctx, key)
	if err != nil {
		return err
	}
	if exists {
		return &storage.Error{
			Code: storage.PreconditionFailed,
			Key:  key,
			Hint: "choose another name: the object exists",
		}
	}
	return nil
}

// moveFolder moves all objects of the folder src to dst, which must be empty unless merge is true. It
// never replaces an object: an object whose new name is taken or not valid stays where it is. A call
// with merge continues an interrupted move.
func moveFolder(ctx context.Context, b storage.Bucket, src, dst string, merge bool) (changes, error) {
	if overlap(src, dst) {
		return changes{}, invalidArgument("to", "must be neither in the folder nor around it")
	}

	result, err := transferFolder(ctx, folder{b, src}, folder{b, dst}, merge, transfer.WithMove())
	if err != nil {
		return changes{}, err
	}
	if len(result.Failed) > 0 {
		// Objects have stayed in the folder, so its markers must stay, too.
		return result, nil
	}
	if err := moveMarkers(ctx, b, src, dst); err != nil {
		return changes{}, err
	}
	return result, nil
}

// overlap reports whether one of two folders is in the other, or is the same.
func overlap(src, dst string) bool { return strings.HasPrefix(dst, src) || strings.HasPrefix(src, dst) }

// A folder of a bucket consists of the objects whose keys begin with prefix.
type folder struct {
	bucket storage.Bucket
	prefix string // ends with a slash, or is "" for the whole bucket
}

// transferFolder copies or moves all objects of a folder to another one, except for the empty objects
// that consoles store for folders. If merge is false, the other folder must be empty. An object that exists there is
// not replaced, but reported as failed.
func transferFolder(
	ctx context.Context, src, dst folder, merge bool, opts ...transfer.Option,
) (changes, error) {
	if err := checkDestination(ctx, dst.bucket, dst.prefix, merge); err != nil {
		return changes{}, err
	}

	isObject := func(key string) bool {
		return !strings.HasSuffix(key, "/")
	}
	opts = append(opts, transfer.WithMissingOnly(), transfer.WithKeys(isObject))
	report, err := transfer.Sync(
		ctx,
		transfer.Bucket(storage.Prefixed(dst.bucket, dst.prefix)),
		transfer.Bucket(storage.Prefixed(src.bucket, src.prefix)),
		opts...,
	)
	if report == nil {
		return changes{}, err
	}
	// With failures in the report, only some objects have failed, and not the whole transfer.
	if err != nil && len(report.Failures) == 0 {
		return changes{}, err
	}

	result := changes{Moved: report.Transferred, Failed: []failureView{}}
	for _, failure := range report.Failures {
		result.Failed = append(result.Failed, newFailureView(ctx, src.prefix+failure.Key, failure.Err))
	}
	if report.Skipped > 0 {
		// WithMissingOnly has skipped the objects that exist in the other folder.
		result.Failed = append(result.Failed, failureView{
			Key:   src.prefix,
			Error: "the other folder has the names of some objects",
			Code:  storage.PreconditionFailed,
		})
	}
	return result, nil
}

// checkDestination fails with PreconditionFailed if the folder has an object and merge is false. Even if merge is true,
// it lists the folder, and fails if it cannot.
func checkDestination(ctx context.Context, b storage.Lister, folder string, merge bool) error {
	for _, err := range b.List(ctx, storage.WithPrefix(folder), storage.WithLimit(1), storage.WithAnyOrder()) {
		if err != nil {
			return err
		}
		if !merge {
			return &storage.Error{
				Code: storage.PreconditionFailed,
				Key:  folder,
				Hint: "choose another name, or put the objects into this folder",
			}
		}
	}
	return nil
}

// moveMarkers moves the markers of folders, which are empty objects with keys that end in "/".
func moveMarkers(ctx context.Context, b storage.Bucket, src, dst string) error {
	// Without this context, Copy refuses a key that ends in "/".
	markerCtx := objectkey.AllowFolderMarker(ctx)
	for entry, err := range b.List(ctx, storage.WithPrefix(src), storage.WithAnyOrder()) {
		if err != nil {
			return err
		}
		if !isMarker(entry) {
			continue
		}

		_, err = storage.Copy(markerCtx, b, dst+strings.TrimPrefix(entry.Key, src), b, entry.Key)
		if err != nil {
			return err
		}
		err = b.Remove(ctx, entry.Key, ifUnchanged(b, entry.Revision)...)
		if err != nil {
			return err
		}
	}
	return nil
}

// A removal names an object to remove, in the revision that the page has shown.
type removal struct {
	Key      string `json:"key"`
	Revision string `json:"revision"`
}

// A failureView says why one object was not changed.
type failureView struct {
	Key   string       `json:"key"`
	Error string       `json:"error"`
	Code  storage.Code `json:"code"`
}

// removals counts the removed objects, and lists the failures.
type removals struct {
	mu      sync.Mutex
	Removed int           `json:"removed"`
	Failed  []failureView `json:"failed"`
}

func (s *removals) addRemoved(count int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.Removed += count
}

// addFailure records that the removal of an object or folder has failed.
func (s *removals) addFailure(ctx context.Context, key string, err error) {
	failure := newFailureView(ctx, key, err)

	s.mu.Lock()
	defer s.mu.Unlock()
	s.Failed = append(s.Failed, failure)
}

func newFailureView(ctx context.Context, key string, err error) failureView {
	storageErr := storage.AsError(ctx, err)
	return failureView{Key: key, Error: errorText(storageErr), Code: storageErr.Code}
}

// remove removes objects, if they still have the revision that the page has shown, and folders with
// all objects below them.
func (h *Handler) remove(r *http.Request) (any, error) {
	var params struct {
		Bucket  string
		Objects []removal
		Folders []string
	}
	if err := decodeBody(r, &params); err != nil {
		return nil, err
	}

	b, _, err := h.source.Bucket(r.Context(), params.Bucket)
	if err != nil {
		return nil, err
	}

	// Without the slash, the prefix would also select other objects.
	for _, folder := range params.Folders {
		if !strings.HasSuffix(folder, "/") {
			return nil, invalidArgument("folders", "must each end in /")
		}
	}

	// One failure must not stop the other removals, so collect the failures in the result.
	result := &removals{Failed: []failureView{}}
	running.All(len(params.Objects), atOnce, func(i int) error {
		object := params.Objects[i]
		err := b.Remove(r.Context(), object.Key, ifUnchanged(b, object.Revision)...)
		if err != nil {
			result.addFailure(r.Context(), object.Key, err)
			return nil
		}
		result.addRemoved(1)
		return nil
	})

	// A folder is removed with whatever is in it now.
	for _, folder := range params.Folders {
		count, err := storage.RemoveMatching(r.Context(), b, nil, storage.WithPrefix(folder))
		result.addRemoved(count)
		if err != nil {
			result.addFailure(r.Context(), folder, err)
		}
	}
	return result, nil
}

// ifUnchanged returns the condition that an object still has the listed revision, or nil if the store
// cannot check that.
func ifUnchanged(b storage.Bucket, revision string) []storage.RemoveOption {
	if revision == "" || !storage.Supports(b, storage.ConditionalRemove) {
		return nil
	}
	return []storage.RemoveOption{storage.IfRevision(revision)}
}

// restore makes a version of an object current again, or without a version the newest one of a
// removed object.
func (h *Handler) restore(r *http.Request) (any, error) {
	var params struct{ Bucket, Key, Version string }
	if err := decodeBody(r, &params); err != nil {
		return nil, err
	}

	b, _, err := h.source.Bucket(r.Context(), params.Bucket)
	if err != nil {
		return nil, err
	}

	if params.Version != "" {
		_, err := storage.Copy(r.Context(), b, params.Key, b, params.Key, storage.WithVersion(params.Version))
		return struct{}{}, err
	}

	// The prefix alone would also select longer keys.
	isKey := func(key string) bool {
		return key == params.Key
	}
	report, err := transfer.Undelete(r.Context(), b, transfer.WithPrefix(params.Key), transfer.WithKeys(isKey))
	if err != nil {
		return nil, err
	}
	if report.Transferred == 0 {
		return nil, &storage.Error{
			Code: storage.ObjectNotFound,
			Key:  params.Key,
			Hint: "the object exists again, or the store has no version of it",
		}
	}
	return struct{}{}, nil
}

// setTags replaces the tags of an object.
func (h *Handler) setTags(r *http.Request) (any, error) {
	var params struct {
		Bucket, Key string
		Tags        map[string]string
	}
	if err := decodeBody(r, &params); err != nil {
		return nil, err
	}
	b, _, err := h.source.Bucket(r.Context(), params.Bucket)
	if err != nil {
		return nil, err
	}
	return struct{}{}, storage.SetTags(r.Context(), b, params.Key, params.Tags)
}
