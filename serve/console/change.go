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

// move renames an object or a folder. It never replaces an existing object.
func (h *Handler) move(r *http.Request) (any, error) {
	var params struct {
		Bucket, From, To, Revision string
		Merge                      bool
	}
	if err := document(r, &params); err != nil {
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

	if err := mustBeShown(r.Context(), b, params.From, params.Revision); err != nil {
		return nil, err
	}
	opts, err := onlyIfFree(r.Context(), b, params.To)
	if err != nil {
		return nil, err
	}

	if _, err := storage.Move(r.Context(), b, params.From, params.To, opts...); err != nil {
		return nil, err
	}
	return changes{Moved: 1, Failed: []failureView{}}, nil
}

// areFolders reports whether two names are those of folders. It fails if only one of them is.
func areFolders(from, to string) (bool, error) {
	isFolder := strings.HasSuffix(from, "/")
	if isFolder != strings.HasSuffix(to, "/") {
		return false, invalidArgument("from and to", "must both be objects, or both folders that end in /")
	}
	return isFolder, nil
}

// onlyIfFree returns the options of a copy that replaces no object. If the store has no conditional
// writes, onlyIfFree fails with PreconditionFailed if the object exists.
func onlyIfFree(ctx context.Context, b storage.Bucket, key string) ([]storage.CopyOption, error) {
	if storage.Supports(b, storage.ConditionalCreate) {
		return []storage.CopyOption{storage.IfAbsent()}, nil
	}
	return nil, mustBeFree(ctx, b, key)
}

// changes is the result of a request that changes several objects.
type changes struct {
	Moved  int64         `json:"moved"`
	Failed []failureView `json:"failed"`
}

// mustBeShown fails with Changed if an object no longer has the revision that the page has shown.
func mustBeShown(ctx context.Context, b storage.AttrsReader, key, revision string) error {
	if revision == "" {
		return nil
	}
	attrs, err := b.Attrs(ctx, key)
	if err == nil && attrs.Revision != revision {
		err = &storage.Error{
			Code: storage.Changed,
			Key:  key,
			Hint: "somebody has replaced the object: look at it again",
		}
	}
	return err
}

// mustBeFree fails with PreconditionFailed if an object exists. It is for stores without
// conditional writes. There, another writer may still create the object after the check.
func mustBeFree(ctx context.Context, b storage.AttrsReader, key string) error {
	exists, err := b.Exists(ctx, key)
	if err == nil && exists {
		err = &storage.Error{Code: storage.PreconditionFailed, Key: key, Hint: "choose another name: the object exists"}
	}
	return err
}

// moveFolder moves all objects of the first folder to the second one. If merge is false, the second
// folder must be empty. moveFolder never replaces an object. If the new name is taken or not valid,
// the object stays where it is. To continue after an interruption, call moveFolder again with
// merge.
func moveFolder(ctx context.Context, b storage.Bucket, src, dst string, merge bool) (any, error) {
	if overlap(src, dst) {
		return nil, invalidArgument("to", "must be neither in the folder nor around it")
	}
	result, err := transferFolder(ctx, b, src, b, dst, merge, transfer.WithMove())
	if err != nil || len(result.Failed) > 0 {
		return result, err
	}
	return result, moveMarkers(ctx, b, src, dst)
}

// overlap reports whether one of two folders is in the other, or is the same.
func overlap(src, dst string) bool { return strings.HasPrefix(dst, src) || strings.HasPrefix(src, dst) }

// transferFolder copies all objects of a folder to another one, or moves them, as the options say. It
// leaves out the empty objects that consoles store for folders.
func transferFolder(
	ctx context.Context, srcBucket storage.Bucket, src string, dstBucket storage.Bucket, dst string, merge bool,
	opts ...transfer.Option,
) (changes, error) {
	// Without merge, the destination must be empty.
	for _, err := range dstBucket.List(ctx, storage.WithPrefix(dst), storage.WithLimit(1), storage.WithAnyOrder()) {
		if err != nil {
			return changes{}, err
		}
		if !merge {
			return changes{}, &storage.Error{
				Code: storage.PreconditionFailed,
				Key:  dst,
				Hint: "choose another name, or put the objects into this folder",
			}
		}
	}

	opts = append(opts, transfer.WithMissingOnly(),
		transfer.WithKeys(func(key string) bool { return !strings.HasSuffix(key, "/") }))
	report, err := transfer.Sync(
		ctx, transfer.Bucket(storage.Prefixed(dstBucket, dst)), transfer.Bucket(storage.Prefixed(srcBucket, src)), opts...)
	if report == nil || err != nil && len(report.Failures) == 0 {
		return changes{}, err
	}

	moved := changes{Moved: report.Transferred, Failed: []failureView{}}
	for _, f := range report.Failures {
		moved.Failed = append(moved.Failed, newFailureView(ctx, src+f.Key, f.Err))
	}
	if report.Skipped > 0 {
		moved.Failed = append(moved.Failed, failureView{src, "the other folder has the names of some objects",
			storage.PreconditionFailed})
	}
	return moved, nil
}

// moveMarkers moves the markers of folders: empty objects whose keys end in "/". Consoles create
// such objects.
func moveMarkers(ctx context.Context, b storage.Bucket, src, dst string) error {
	markers := objectkey.AllowFolderMarker(ctx)
	for e, err := range b.List(ctx, storage.WithPrefix(src), storage.WithAnyOrder()) {
		if err != nil {
			return err
		}
		if !isMarker(e) {
			continue
		}
		_, err = storage.Copy(markers, b, dst+strings.TrimPrefix(e.Key, src), b, e.Key)
		if err == nil {
			err = b.Remove(ctx, e.Key, ifShown(b, e.Revision)...)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

type removal struct {
	Key      string `json:"key"`
	Revision string `json:"revision"`
}

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

func (s *removals) add(ctx context.Context, key string, n int, err error) {
	var failures []failureView
	if err != nil {
		failures = []failureView{newFailureView(ctx, key, err)}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.Removed += n
	s.Failed = append(s.Failed, failures...)
}

func newFailureView(ctx context.Context, key string, err error) failureView {
	e := storage.AsError(ctx, err)
	return failureView{key, errorText(e), e.Code}
}

// remove removes objects and folders. An object is removed only if it still has the revision that
// the page has shown. A folder is removed with all objects below it.
func (h *Handler) remove(r *http.Request) (any, error) {
	var params struct {
		Bucket  string
		Objects []removal
		Folders []string
	}
	if err := document(r, &params); err != nil {
		return nil, err
	}

	b, _, err := h.source.Bucket(r.Context(), params.Bucket)
	if err != nil {
		return nil, err
	}

	for _, folder := range params.Folders {
		if !strings.HasSuffix(folder, "/") {
			return nil, invalidArgument("folders", "must each end in /")
		}
	}

	sum := &removals{Failed: []failureView{}}
	running.All(len(params.Objects), atOnce, func(i int) error {
		o := params.Objects[i]
		err := b.Remove(r.Context(), o.Key, ifShown(b, o.Revision)...)
		n := 1
		if err != nil {
			n = 0
		}
		sum.add(r.Context(), o.Key, n, err)
		return nil
	})

	for _, folder := range params.Folders {
		n, err := storage.RemoveMatching(r.Context(), b, nil, storage.WithPrefix(folder))
		sum.add(r.Context(), folder, n, err)
	}
	return sum, nil
}

// ifShown returns the condition that an object still has the listed revision. If the store does not
// support such a condition, ifShown returns nil.
func ifShown(b storage.Bucket, revision string) []storage.RemoveOption {
	if revision == "" || !storage.Supports(b, storage.ConditionalRemove) {
		return nil
	}
	return []storage.RemoveOption{storage.IfRevision(revision)}
}

// restore makes a version of an object current again. Without a version, it restores the newest
// version of a removed object.
func (h *Handler) restore(r *http.Request) (any, error) {
	var params struct{ Bucket, Key, Version string }
	if err := document(r, &params); err != nil {
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

	// Without a version, bring back a removed object.
	report, err := transfer.Undelete(
		r.Context(), b, transfer.WithPrefix(params.Key),
		transfer.WithKeys(func(key string) bool { return key == params.Key }),
	)
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
	if err := document(r, &params); err != nil {
		return nil, err
	}
	b, _, err := h.source.Bucket(r.Context(), params.Bucket)
	if err != nil {
		return nil, err
	}
	return struct{}{}, storage.SetTags(r.Context(), b, params.Key, params.Tags)
}
